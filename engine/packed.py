"""Matrix products for generation, which multiplies few rows with large matrices.

A step is limited by reading the weights, so they have the layout that the processor reads fastest: oneDNN's blocked
layout if PyTorch has its kernels, otherwise transposed. Float16 weights take half the memory, and large ones half the
time; 8-bit weights save memory only, at the cost of exactness and time.

Shapes: N rows, I inputs, O outputs.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor, nn

# oneDNN caches a compiled kernel of half a megabyte for each number of rows of a layer, by default a thousand in each
# of two caches. Histories have many lengths, but a step needs about a dozen. Read when the first kernel is compiled.
for _cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_cache, "64")

# A step reads all weights, keys and values once; with pages of 2 MB the processor looks up far fewer addresses. PyTorch
# requests them from Linux if this is set before the first tensor is made.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

Precision = Literal["float32", "float16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

INT8_LARGEST = 127
HALF_IS_SLOW = frozenset({"cpu"})  # measured: 2 to 5 times slower than float32 from four rows on
WIDEST_STRIP = 512  # outputs; measured: wider ones are slower
ROWS_HINT = 8  # rows for which oneDNN chooses the layout; measured: equally fast for 1 to 500 rows


class Product(Protocol):
    """A packed linear layer."""

    @property
    def nbytes(self) -> int:
        """Return the size of the weights in bytes."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, O) of `x` (N, I)."""


class OneDnn:
    """Float32 weights in oneDNN's blocked layout, with a second copy for single rows."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, ROWS_HINT)
        self.bias = bias
        self._single: Strips | None = None

    @property
    def nbytes(self) -> int:
        """Return the size of the weights in bytes, including the second copy once it exists."""
        size: int = self.weight.numel() * self.weight.element_size()
        return size if self._single is None else 2 * size

    @staticmethod
    def fits(weight: Tensor) -> bool:
        """Return whether PyTorch has the kernels for `weight`."""
        available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # of torch
        kernels = hasattr(torch.ops.mkldnn, "_linear_pointwise") and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        return bool(available and kernels and weight.device.type == "cpu" and weight.dtype == torch.float32)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, O) of `x` (N, I)."""
        if len(x) == 1:
            if self._single is None:
                self._single = Strips(self.weight.to_dense(), self.bias)
            return self._single(x)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return out


class Strips:
    """Float32 weights for a single row: a weighted sum of table rows, for which FBGEMM prefetches memory.

    Products of one row wait for memory, in oneDNN and MKL as well; this takes a third less time. Outputs are cut into
    strips (strips x I, O / strips), and one thread sums each strip.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        outputs, inputs = weight.shape
        threads = torch.get_num_threads()
        even = [n for n in range(1, outputs + 1) if outputs % n == 0 and n % threads == 0]
        self.strips = next((n for n in even if outputs // n <= WIDEST_STRIP), 1)
        # (O, I) -> (strips, O / strips, I) -> (strips x I, O / strips)
        self.table = weight.view(self.strips, -1, inputs).mT.reshape(self.strips * inputs, -1).contiguous()
        self.bias = bias
        self.rows, self.bags = _arange(len(self.table), 1), _arange(len(self.table), inputs)

    def __call__(self, x: Tensor) -> Tensor:
        """Return (1, O) of `x` (1, I)."""
        factors = x.expand(self.strips, -1).reshape(-1)  # (strips x I,)
        out: Tensor = torch.embedding_bag(self.table, self.rows, self.bags, False, 0, False, factors)[0].view(1, -1)
        return out if self.bias is None else out.add_(self.bias)


@cache
def _arange(stop: int, step: int) -> Tensor:
    return torch.arange(0, stop, step)


class FbGemm:
    """Float16 weights in FBGEMM's blocked layout; products and sums in float32."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = torch.ops.quantized.linear_prepack_fp16(weight, bias)
        self.nbytes = weight.nbytes // 2

    @staticmethod
    def fits(weight: Tensor) -> bool:
        """Return whether PyTorch has the kernel for `weight`."""
        return weight.device.type == "cpu" and "fbgemm" in torch.backends.quantized.supported_engines

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, O) of `x` (N, I)."""
        out: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.weight)
        return out


class Transposed:
    """Weights (I, O) in float32 or float16; the CPU is slow at half precision and converts to float32 first."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = weight.t().contiguous()
        self.bias = bias
        self.nbytes = self.weight.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, O) of `x` (N, I)."""
        weight = self.weight
        if weight.dtype != x.dtype:
            if weight.device.type in HALF_IS_SLOW:
                weight = weight.to(x.dtype)
            else:
                product = (x.to(weight.dtype) @ weight).to(x.dtype)
                return product if self.bias is None else product + self.bias
        return x @ weight if self.bias is None else torch.addmm(self.bias, x, weight)


class Int8(Transposed):
    """Weights rounded to 8 bits with one scale for each output; activations are not rounded."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.scale = weight.abs().amax(dim=1).clamp_min(torch.finfo(weight.dtype).tiny) / INT8_LARGEST  # (O,)
        super().__init__((weight / self.scale[:, None]).round().to(torch.int8), bias)
        self.nbytes += self.scale.nbytes

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, O) of `x` (N, I)."""
        product = (x @ self.weight.to(x.dtype)).mul_(self.scale)
        return product if self.bias is None else product.add_(self.bias)


def pack(
    *layers: nn.Linear, scale: Tensor | None = None, precision: Precision = "float32", kernels: bool = True
) -> Product:
    """Return linear `layers` with a common input as one product with concatenated outputs.

    Parameters
    ----------
    scale
        Factors (I,) of the input; they become part of the weights.
    kernels
        Whether layouts of other libraries may be used, which `torch.compile` cannot handle.
    """
    weight = torch.cat([layer.weight.detach() for layer in layers]).float()
    if scale is not None:
        weight = weight * scale
    biases = [values for layer in layers for name, values in layer.named_parameters() if name == "bias"]
    bias = torch.cat(tuple(biases)).detach().float() if biases else None
    if precision == "int8":
        return Int8(weight, bias)
    if precision == "float16":
        return FbGemm(weight, bias) if kernels and FbGemm.fits(weight) else Transposed(weight.half(), bias)
    return OneDnn(weight, bias) if kernels and OneDnn.fits(weight) else Transposed(weight, bias)
