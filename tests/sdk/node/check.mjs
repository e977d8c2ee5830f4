// Runs the official OpenAI SDK for Node against a running Tollway and prints what it saw as one JSON object.
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 });
const messages = [{ role: 'user', content: 'Say something.' }];
const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];

async function errorOf(call) {
  try {
    await call();
    return 'no error';
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code };
  }
}

const chat = (model, extra = {}, from = client) => from.chat.completions.create({ model, messages, ...extra });

const seen = {};
const { data, response } = await chat('stub/gpt').withResponse();
seen.chat = data.choices[0].message.content;
seen.cost = response.headers.get('x-tollway-cost');

seen.streamed = '';
for await (const chunk of await chat('stub/gpt', { stream: true })) {
  seen.streamed += chunk.choices[0].delta.content ?? '';
}

const helper = client.chat.completions.stream({ model: 'stub/tools', messages, tools });
seen.tool = (await helper.finalChatCompletion()).choices[0].message.tool_calls[0].function;

const schema = { name: 'weather', schema: { type: 'object', properties: { city: { type: 'string' } } } };
const structured = await chat('stub/structured', { response_format: { type: 'json_schema', json_schema: schema } });
seen.structured = JSON.parse(structured.choices[0].message.content);

seen.embedding = (await client.embeddings.create({ model: 'stub/gpt', input: ['a', 'b'] })).data.map((row) => row.embedding);
seen.completion = (await client.completions.create({ model: 'stub/gpt', prompt: 'Say' })).choices[0].text;
seen.models = [];
for await (const model of client.models.list()) seen.models.push(model.id);
seen.model = (await client.models.retrieve('stub/gpt')).id;

const stranger = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: 'tw-unknown', maxRetries: 0 });
seen.errors = {
  unknownKey: await errorOf(() => chat('stub/gpt', {}, stranger)),
  unknownModel: await errorOf(() => chat('nowhere/gpt')),
  unpriced: await errorOf(() => chat('unpriced/plain')),
  noMessages: await errorOf(() => client.chat.completions.create({ model: 'stub/gpt' })),
  rateLimited: await errorOf(() => chat('stub/rate-limited')),
  broken: await errorOf(() => chat('stub/broken')),
  inStream: await errorOf(async () => {
    for await (const _ of await chat('stub/error-in-stream', { stream: true }));
  }),
};

let attempts = 0;
const counting = (...request) => {
  attempts += 1;
  return fetch(...request);
};
const broke = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.BROKE_KEY, maxRetries: 5, fetch: counting });
seen.broke = { ...(await errorOf(() => chat('stub/gpt', {}, broke))), attempts };
console.log(JSON.stringify(seen));
