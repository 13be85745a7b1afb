"""Learning: supervision -> targets, teacher, objectives, the training loop."""

from ribsight.distillation.sharpening import sharpen, sharpen_logits

__all__ = ["sharpen", "sharpen_logits"]
