"""What must stand before the SDKs are imported."""

import os

os.environ["LLM_LOAD_PLUGINS"] = ""  # the command `llm` would load the demo model's plugin, which lacks what it needs
