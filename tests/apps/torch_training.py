"""torch: a training loop with an average of the weights, the best state kept by deepcopy, and checkpoints; most layers are frozen."""

import copy

import torch

import cowshim.torch
from steps import done

cowshim.torch.enable()
torch.manual_seed(1)
torch.set_num_threads(1)

layers = [torch.nn.Linear(1024, 1024) for _ in range(12)]  # 4 MiB each
model = torch.nn.Sequential(*layers, torch.nn.Linear(1024, 8))
for layer in layers[:-1]:
    layer.requires_grad_(False)
done("a model of 48 MiB")

average = copy.deepcopy(model)
done("its average")
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.SGD(trained, lr=0.01)
inputs, targets = torch.randn(16, 1024), torch.randn(16, 8)
best, checkpoints, losses = None, [], []
for step in range(8):
    loss = ((model(inputs) - targets) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    with torch.no_grad():
        for mean, parameter in zip(average.parameters(), model.parameters()):
            if parameter.requires_grad:
                mean.mul_(0.9).add_(parameter, alpha=0.1)
    best = copy.deepcopy(model.state_dict())
    checkpoints.append({name: value.clone() for name, value in model.state_dict().items()})
done("eight checkpoints")
other = torch.nn.Sequential(*[torch.nn.Linear(1024, 1024) for _ in range(12)], torch.nn.Linear(1024, 8))
other.load_state_dict(best)
done("loaded into another model")
print(losses, [float(sum(value.double().sum() for value in state.values())) for state in (*checkpoints, best, average.state_dict(),
                                                                                           other.state_dict())])

# What torch promises stays as it was.
weight = torch.ones(1024, 1024, requires_grad=True)
(weight.clone() * 2).sum().backward()
print(float(weight.grad.sum()), weight.detach().clone().requires_grad, weight.clone().grad_fn is not None)
a, b = torch.zeros(1 << 19), torch.ones(1 << 19)
before = a._version
print(a.copy_(b) is a, a._version > before, float(a.sum()), a.clone().data_ptr() != a.data_ptr())
print(float(torch.ones(1024, 2048).t().clone().sum()), torch.ones(1024, 2048).t().clone().stride(),
      torch.ones(8, 3, 256, 256).clone(memory_format=torch.channels_last).stride())
leaf = torch.ones(1 << 19, requires_grad=True)
try:
    leaf.copy_(b)
except RuntimeError as error:
    print(error)
with torch.no_grad():
    leaf.copy_(b * 3)
print(float(leaf.sum()), copy.deepcopy(leaf).requires_grad, type(copy.deepcopy(torch.nn.Parameter(b))).__name__)
traced = torch.jit.trace(lambda x: x.clone() + 1, torch.ones(1 << 19))
print("clone" in str(traced.graph), float(traced(b).sum()))
