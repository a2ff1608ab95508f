"""How fast this client is, beside its peers, in one run on one machine.

    python -m benchmarks                    everything; about ten minutes
    python -m benchmarks one-shot streams   only these scenarios
    python -m benchmarks --quick            small sizes, this interpreter, no peers: does it work?

What is printed is one table. Absolute times belong to the machine and the minute; the RATIOS are
what to compare, and the targets are stated in them where that is possible. A target is printed
with its figure and `ok` or `MISSED`. Missed targets make the exit status 1, except with `--quick`,
whose figures mean nothing.

How it is measured:

- Each contender has a virtual environment of its own under `.venv/bench-*` (`--environments`
  moves them): the project installed as a wheel, httpx alone, and each peer. A peer that cannot be
  installed is left out with a line that says so. Installed packages are checked for bytecode.
- Children get a clean environment: no `PYTHON*`, proxy or certificate variables, an empty home.
- The loopback server (`server.py`) is a process of its own, pinned to another CPU than the
  clients where the system can pin.
- Contenders take turns, and a figure is the median of `--repeats` runs (7 by default).
- Wall time and CPU of a command are taken from outside by `launch.py`; CPU per chunk and per
  request from inside, around the work alone, after a first request has paid for the imports.

Nothing is written into the repository but the environments, which git ignores.

Modules: `run` (arguments, order), `environments`, `measure`, `serving` (starts `server.py`),
one module per group of scenarios (`commands`, `streams`, `decoding`, `crowds`, `books`, `heavy`),
`table`;
`scripts/` holds what runs inside the environments.
"""
