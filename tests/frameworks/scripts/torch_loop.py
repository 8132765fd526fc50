"""A plain PyTorch loop, as a tutorial has it: it gives no server_url, so that the environment names the server."""

import torch
from sklearn.datasets import load_digits

from zeus_bso import BatchSizeOptimizer, EnergyMonitor, JobSpec

job = JobSpec(
    job_id_prefix="torch-digits",
    default_batch_size=256,
    batch_sizes=[32, 64, 128, 256],
    target_metric=0.88,
    max_epochs=40,
)
images, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
images = images.float() / 16
network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))

bso = BatchSizeOptimizer(EnergyMonitor(), job=job)
batch_size = bso.get_batch_size()
learning_rate = bso.scale_learning_rate(0.1, tuned_for=256, rule="square-root")
optimizer = torch.optim.SGD(network.parameters(), lr=learning_rate, momentum=0.9)

bso.on_train_begin()
while not bso.training_finished:
    for batch in torch.randperm(1400).split(batch_size):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    bso.on_evaluate((network(images[1400:]).argmax(dim=1) == labels[1400:]).float().mean())
