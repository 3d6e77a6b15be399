"""What child processes of the tests do; they are forked from a server that has imported PyTorch: it takes seconds."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # optimizers import it when they are made, which takes each child seconds

from tests.training.staging import make_stage, train
from training.errors import Diverged, RunError
from training.fit import checkpoint
from training.fit.corpus import Corpus
from training.fit.distributed import World
from training.fit.loop import Paused
from training.run.config import RunConfig, StageName

GONE = 3  # exit code of a process that found itself left alone
PAUSED = 4
DIVERGED = 5
LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


def server() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.training.children"])
    return context


def start(target: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    process = server().Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def die() -> None:
    """End as kill -9 ends a process: nothing is flushed, closed or tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def train_alone(name: StageName, corpus: Corpus, config: RunConfig, folder: Path, begun: Any, moment: str) -> None:
    """Train; `moment` names what of its second checkpoint the process dies in."""
    torch.set_num_threads(1)
    if moment:
        _die_in(moment)
    stage = make_stage(name, corpus, config)
    begun.set()
    train(stage, corpus, config, folder)


def _die_in(moment: str) -> None:
    write, prune, sync = checkpoint.save_file, checkpoint._prune, checkpoint._sync

    def half_written(tensors: Any, path: Path) -> None:
        write(tensors, path)
        if _second(path.parent.parent):
            os.truncate(path, path.stat().st_size // 2)
            die()

    def before_the_name(path: Path) -> None:
        sync(path)
        if path.name.startswith(".step") and _second(path.parent):
            die()

    def before_the_oldest_goes(folder: Path, step: int) -> None:
        if len(list(folder.glob("step-*"))) > checkpoint.KEPT:
            die()
        prune(folder, step)

    name, replacement = {
        "half a file": ("save_file", half_written),
        "unnamed": ("_sync", before_the_name),
        "three of them": ("_prune", before_the_oldest_goes),
    }[moment]
    setattr(checkpoint, name, replacement)


def _second(folder: Path) -> bool:
    return any(folder.glob("step-*"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def start_together(target: Callable[..., None], *arguments: Any, size: int = 2) -> Sequence[ForkServerProcess]:
    """Start processes as torchrun would; each calls `target` with its world first."""
    port = free_port()
    return [start(_as_rank, rank, size, port, target, *arguments) for rank in range(size)]


def _as_rank(rank: int, size: int, port: int, target: Callable[..., None], *arguments: Any) -> None:
    torch.set_num_threads(1)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": LOOPBACK}
    os.environ |= address | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    world = World.from_environment("cpu", timeout=timedelta(seconds=60))
    try:
        target(world, *arguments)
    except RunError:
        os._exit(GONE)
    except Paused:
        world.close()
        os._exit(PAUSED)
    except Diverged as error:
        arguments[-1].with_suffix(f".{rank}").write_text(str(error))
        world.close()
        os._exit(DIVERGED)
    world.close()


def speak(world: World, folder: Path) -> None:
    """Tell one another things of all kinds, and check what comes."""
    assert World.from_environment("cpu") == world  # a cluster's launcher has joined them already
    assert world.first is (world.rank == 0)
    assert world.gather({"rank": world.rank, "text": "é" * world.rank}) == [
        {"rank": rank, "text": "é" * rank} for rank in range(world.size)
    ]
    assert world.broadcast([world.rank, None]) == [0, None]
    values = torch.tensor([1.0, float(world.rank)], dtype=torch.float64)
    assert world.sum(values).tolist() == [world.size, 1.0]
    assert values.tolist() == [1.0, world.rank]
    sent = {"a": torch.arange(3), "b": torch.tensor(0.5)} if world.first else None
    assert {name: tensor.tolist() for name, tensor in world.broadcast_tensors(sent).items()} == {
        "a": [0, 1, 2],
        "b": 0.5,
    }
    world.barrier()
    (folder / f"{world.rank}").touch()


def train_together(
    world: World, name: StageName, corpus: Corpus, config: RunConfig, moment: str, step: int, folder: Path
) -> None:
    """Train with others; at `step` the second process dies, or the first one is asked to pause."""
    stage = make_stage(name, corpus, config)
    asked = iter(["pause" if moment == "pause" and done == step else None for done in range(1, 1000)])

    def wish() -> Any:
        return next(asked)

    if moment == "death" and not world.first:
        calls = iter(range(1, 1000))
        draw = stage.inputs

        def inputs(batch: Any) -> Any:
            if next(calls) == step:
                die()
            return draw(batch)

        stage.inputs = inputs  # type: ignore[method-assign]
    train(stage, corpus, config, folder, world, stop_request=wish)
