"""The model registry: trained policies become versions, a gate decides which one is champion."""

from proofline.registry.register import register

__all__ = ["register"]
