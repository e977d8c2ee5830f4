"""Rules on names: which words may stand where."""

import ast
import re
from collections.abc import Iterator

from house_rules.source import Finding, Module, finding

PROVIDER_NAMES = frozenset(
    {
        "anthropic",
        "azure",
        "bedrock",
        "cerebras",
        "cohere",
        "deepinfra",
        "deepseek",
        "fireworks",
        "gemini",
        "groq",
        "huggingface",
        "llama_cpp",
        "mistral",
        "moonshotai",
        "nebius",
        "novita",
        "nvidia",
        "ollama",
        "openai",
        "openrouter",
        "perplexity",
        "sambanova",
        "together",
        "vertex",
        "vllm",
        "xai",
        "zai",
    }
)
"""Names of companies and products that serve models. A test keeps this in step with the registry."""
_ENGLISH_WORDS = frozenset({"fireworks", "perplexity", "together"})
"""Names that are words too: they count only as a whole string, or before a slash."""
_WORD = re.compile(rf"(?<![\w-])({'|'.join(sorted(PROVIDER_NAMES - _ENGLISH_WORDS))})(?![\w-])")
_ALONE = re.compile(rf"({'|'.join(sorted(PROVIDER_NAMES))})(/.*)?")


def provider_name_place(module: Module) -> Iterator[Finding]:
    """No provider is named outside `providers` and the price book's source: a new one is a row, not a branch."""
    if not module.place or module.is_in("providers/"):
        return
    for line, text in module.strings:
        if match := _ALONE.fullmatch(text) or _WORD.search(text):
            yield finding(provider_name_place, module, line, f"names {match.group(1)}")


def error_code_place(module: Module) -> Iterator[Finding]:
    """Codes of faults are given out in `errors.py` only, so that the documentation has all of them."""
    if not module.place or module.is_in("errors.py"):
        return
    for node in module.nodes:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Error") for base in node.bases):
            yield from (
                finding(error_code_place, module, line.lineno, f"class {node.name} sets a code of its own")
                for line in node.body
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code"
            )


RULES = (error_code_place, provider_name_place)
