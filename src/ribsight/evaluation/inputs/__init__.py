"""Truth and marks from files: COCO, CSV, predictions, cohorts."""
