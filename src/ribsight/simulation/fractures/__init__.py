"""Which bones break and where, what a break does to a bone, and what an expert draws around it."""
