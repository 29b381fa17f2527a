"""Proofline: supervised fine-tuning, preference optimisation and generative verification, reproducibly."""

__version__ = "0.1.0"
