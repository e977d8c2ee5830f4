// Anthropic's SDK and Vercel's AI SDK for Node against a running Tollway, whose provider speaks chat completions.
// Prints what they saw as one JSON object.
import Anthropic from '@anthropic-ai/sdk';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';

const { URL, API_KEY } = process.env;
const messages = [{ role: 'user', content: 'Say something.' }];
const seen = {};
globalThis.AI_SDK_LOG_WARNINGS = false; // they go to the output

const client = new Anthropic({ baseURL: URL, apiKey: API_KEY, maxRetries: 0 });
const ask = (model, extra = {}) => ({ model, max_tokens: 500, messages, ...extra });
const tools = [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];

const plain = await client.messages.create(ask('stub/gpt'));
seen.anthropic = { text: plain.content[0].text, stop: plain.stop_reason, counted: plain.usage.output_tokens > 0 };
const stream = client.messages.stream(ask('stub/gpt'));
seen.anthropicStream = (await stream.finalMessage()).content[0].text;
const called = await client.messages.stream(ask('stub/tools', { tools })).finalMessage();
const use = called.content.find((block) => block.type === 'tool_use');
seen.anthropicTool = { name: use.name, input: use.input, stop: called.stop_reason };
const result = { type: 'tool_result', tool_use_id: use.id, content: '21 degrees' };
const turns = [...messages, { role: 'assistant', content: called.content }, { role: 'user', content: [result] }];
seen.anthropicAnswer = (await client.messages.create(ask('stub/tools', { tools, messages: turns }))).content[0].text;
seen.anthropicTokens = (await client.messages.countTokens({ model: 'stub/gpt', messages })).input_tokens > 0;
seen.anthropicError = await client.messages.create(ask('nowhere/gpt')).then(
  () => 'no error',
  (error) => ({ name: error.constructor.name, status: error.status, type: error.error?.error?.type }),
);

const weather = tool({
  description: 'The weather of a city.',
  inputSchema: jsonSchema({ type: 'object', properties: { city: { type: 'string' } } }),
  execute: async ({ city }) => `21 degrees in ${city}`,
});
const compatible = createOpenAICompatible({
  name: 'tollway',
  baseURL: `${URL}/v1`,
  apiKey: API_KEY,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const anthropic = createAnthropic({ baseURL: `${URL}/v1`, apiKey: API_KEY });
for (const [name, provider] of Object.entries({ compatible, messages: anthropic })) {
  const prompt = 'How is the weather in Paris?';
  const text = await generateText({ model: provider('stub/gpt'), prompt });
  const streamed = streamText({ model: provider('stub/gpt'), prompt });
  let words = '';
  for await (const part of streamed.textStream) words += part;
  const looped = await generateText({
    model: provider('stub/tools'),
    prompt,
    tools: { weather },
    stopWhen: stepCountIs(3),
  });
  seen[name] = {
    text: text.text,
    streamed: words,
    counted: text.usage.outputTokens > 0 && (await streamed.usage).outputTokens > 0,
    looped: looped.text,
    steps: looped.steps.length,
  };
}
const schema = jsonSchema({
  type: 'object',
  properties: { city: { type: 'string' }, degrees: { type: 'number' } },
  required: ['city', 'degrees'],
  additionalProperties: false,
});
const structured = await generateText({
  model: compatible('stub/structured'),
  prompt: 'Paris?',
  output: Output.object({ schema }),
});
seen.structured = structured.output;

console.log(JSON.stringify(seen));
