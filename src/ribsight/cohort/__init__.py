"""The joined table: radiographs + diagnoses + regions + split, checked, and its pixel cache."""
