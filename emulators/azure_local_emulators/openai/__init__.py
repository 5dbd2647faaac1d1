"""A model's endpoint on one machine: OpenAI's chat completions and Azure OpenAI's, answering by script.

Run it with `python -m azure_local_emulators.openai`. No model is behind it: an answer says what was asked, or what a
test wants to hear. What it enforces, and how it is scripted, is in `strictness/openai.md`.
"""
