"""Python side of sdc. `sdc.sklearn` exports scikit-learn models to ONNX."""
