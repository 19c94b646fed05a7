"""torch: cowshim.clone() shares what tensor.clone() copies by kernels of its own."""

import torch

import cowshim
from steps import done

tensor = torch.arange(1 << 24, dtype=torch.float32)  # 64 MiB
done("fill")
copies = [cowshim.clone(tensor) for _ in range(5)]
done("five clones")
for number, copy in enumerate(copies):
    copy[number << 18:(number + 1) << 18] = -1
done("a sixteenth of the first 5 changed")
print([float(copy.double().sum()) for copy in copies], bool((copies[0][1 << 18:] == tensor[1 << 18:]).all()))

for bad in [[1.0], torch.ones(3, requires_grad=True), torch.eye(3).to_sparse()]:
    try:
        print(cowshim.clone(bad))
    except (TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")
print(cowshim.clone(torch.ones(4, 4).t()[1:]).shape, cowshim.clone(torch.ones(0)).shape)
