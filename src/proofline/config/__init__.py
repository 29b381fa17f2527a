"""Settings: the recipe (`params.yaml`), its profiles, and the environment it is executed in. No torch here."""

from proofline.config.environment import Environment, load_environment
from proofline.config.load import ParamsError, load_params
from proofline.config.schema import Params

__all__ = ["Environment", "Params", "ParamsError", "load_environment", "load_params"]
