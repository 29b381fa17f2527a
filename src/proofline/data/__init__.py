"""Problems, prompts, preference pairs and verification traces: everything that is built without a model."""
