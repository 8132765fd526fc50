"""A trace folder small enough to reckon with by hand."""

from __future__ import annotations

from pathlib import Path

from zeus_bso.simulator.traces import Pair, read_traces

WORKLOADS = """\
dataset,network,optimizer,target_metric,higher_is_better,max_epochs,default_batch_size
shapes,mlp,sgd,0.9,true,10,64
"""

TRAIN = """\
dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch
shapes,mlp,16,sgd,0.1,1,0.5,2
shapes,mlp,16,sgd,0.1,1,0.9,4
shapes,mlp,32,sgd,0.1,1,0.5,1
shapes,mlp,32,sgd,0.1,1,0.9,3
shapes,mlp,32,sgd,0.1,2,0.5,2
shapes,mlp,32,sgd,0.1,2,0.9,5
shapes,mlp,64,sgd,0.1,1,0.5,3
shapes,mlp,64,sgd,0.1,1,0.9,8
shapes,mlp,128,sgd,0.1,1,0.5,9
shapes,mlp,128,sgd,0.1,1,0.9,nan
"""

POWER = """\
dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power
shapes,mlp,16,sgd,100,20,80
shapes,mlp,16,sgd,200,16,120
shapes,mlp,32,sgd,100,12,90
shapes,mlp,32,sgd,200,10,150
shapes,mlp,64,sgd,100,10,100
shapes,mlp,64,sgd,200,8,180
shapes,mlp,128,sgd,100,9,100
shapes,mlp,128,sgd,200,7,200
"""


def write_tiny_traces(
    folder: Path, *, workloads: str = WORKLOADS, train: str = TRAIN, power: str = POWER, gpu: str = "tiny"
) -> Path:
    """Write the files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workloads.csv").write_text(workloads)
    (folder / "summary_train.csv").write_text(train)
    (folder / f"summary_power_{gpu}.csv").write_text(power)
    return folder


def tiny_pair(folder: Path, **files: str) -> Pair:
    """The one workload on the one GPU."""
    (pair,) = read_traces(write_tiny_traces(folder, **files)).pairs()
    return pair
