"""Networks made of Values, their losses, and the loop that trains them.

Where to look:

=====================  ======================================================================================
``module.py``          ``Module``: parameters found among attributes, their names, saving and loading
``layers.py``          ``Neuron``, ``Layer``, ``MLP``: micrograd 0.1's networks
``activations.py``     activations by name
``initialisation.py``  the numbers that weights start from: 0.1's, Glorot's, He's
``losses.py``          squared error, hinge, cross entropies with logits
``linear.py``          ``Linear``, ``Embedding``, ``RMSNorm``: what a transformer is made of
``attention.py``       ``CausalSelfAttention`` and ``Block``
``gpt.py``             ``GPT``, in the shape of microgpt
``state.py``           the parameters as numbers by name, checked and in files
``training.py``        ``fit``, the loop; with ``training_data.py``, ``training_step.py``, ``training_files.py``
=====================  ======================================================================================

>>> import random
>>> model = MLP(2, [16, 16, 1], rng=random.Random(0))
>>> model
MLP(2 -> 16 -> 16 -> 1, relu, 337 parameters)
>>> points, labels = [[0.0, 1.0], [1.0, 0.0]], [1, -1]
>>> for step in range(50):
...     loss = hinge([model(x) for x in points], labels)
...     model.zero_grad()
...     loss.backward()
...     for p in model.parameters():
...         p.data -= 0.05 * p.grad
>>> hinge([model(x) for x in points], labels).data
0.0
"""

from micrograd.nn.attention import Block, CausalSelfAttention
from micrograd.nn.gpt import GPT
from micrograd.nn.layers import MLP, Layer, Neuron
from micrograd.nn.linear import Embedding, Linear, RMSNorm
from micrograd.nn.losses import binary_cross_entropy, cross_entropy, hinge, mean_squared_error
from micrograd.nn.module import Module
from micrograd.nn.training import History, fit

__all__ = [
    "MLP",
    "Layer",
    "Module",
    "Neuron",
    "Block",
    "CausalSelfAttention",
    "Embedding",
    "GPT",
    "History",
    "Linear",
    "RMSNorm",
    "binary_cross_entropy",
    "cross_entropy",
    "fit",
    "hinge",
    "mean_squared_error",
]
