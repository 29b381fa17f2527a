"""TRL's DPOTrainer, given rows that are ready: tokens and reference log-probabilities come with the data set.

Its loop and its loss stay its own. Imports trl; import it late.
"""

from __future__ import annotations

from typing import Any

from trl.trainer.dpo_trainer import DPOTrainer


class ReadyDPOTrainer(DPOTrainer):
    """Rows of `prompt_ids`, `chosen_ids`, `rejected_ids`, `ref_chosen_logps`, `ref_rejected_logps`, in their order.

    TRL's `sft` term is a mean over the chosen tokens of a micro-batch, so a token would weigh more in a micro-batch of
    short rows, and the result depend on how a step is cut up. Here each micro-batch's term has the weight of its
    tokens: every chosen token of a step weighs the same, as in our SFT.
    """

    loss_weights: list[Any]

    def _prepare_dataset(self, dataset: Any, *others: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *others: Any) -> Any:
        return dataset

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> Any:
        """Chosen tokens of a mean micro-batch of this step, over all processes."""
        tokens = sum(chosen_tokens(inputs) for inputs in batch_samples).to(device)
        return self.accelerator.gather(tokens).sum() / (len(batch_samples) * self.accelerator.num_processes)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        weights = self.loss_weights
        if num_items_in_batch is not None:
            share = chosen_tokens(inputs) / num_items_in_batch
            self.loss_weights = [
                weight * share if term == "sft" else weight
                for term, weight in zip(self.loss_types, weights, strict=True)
            ]
        loss = super().compute_loss(model, inputs, return_outputs)
        self.loss_weights = weights
        return loss


def chosen_tokens(inputs: dict[str, Any]) -> Any:
    """Completion tokens of the chosen sides: the first half of a batch."""
    return inputs["completion_mask"].chunk(2)[0].sum()
