"""What language models are told and how long texts are cut for them. Asking them is the engine's."""
