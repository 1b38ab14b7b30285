"""PyTorch modules to ONNX, by torch.onnx."""
from __future__ import annotations

import io


def export(module, example, path=None, *, opset: int = 17, input_names=None, output_names=None) -> bytes:
    """A module as the bytes of an ONNX file, for sdc.compile.

    module: in evaluation mode while it is exported; its mode is given back.
    example: one batch of inputs, a tensor or a tuple; the first dimension is exported as it is.
    path: also written there, unless None.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError("sdc.torch.export needs PyTorch; models of other kinds go to sdc.compile as ONNX files") from error
    training = module.training
    module.eval()
    try:
        file = io.BytesIO()
        torch.onnx.export(module, example, file, opset_version=opset, input_names=input_names, output_names=output_names,
                          do_constant_folding=True)
    finally:
        module.train(training)
    content = file.getvalue()
    if path is not None:
        with open(path, "wb") as out:
            out.write(content)
    return content
