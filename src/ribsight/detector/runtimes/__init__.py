"""What runs a network: torch with the weights, or a file for ONNX Runtime, OpenVINO, TorchScript.

Each module gives one function that returns a `MapFunction`; it imports its runtime when it is
called, and nothing else does.
"""
