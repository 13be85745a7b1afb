"""The network, its probability maps, the marks read off them, and the model folder."""
