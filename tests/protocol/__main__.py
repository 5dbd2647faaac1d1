"""Search the protocol from the command line.

python -m tests.protocol                    every scenario, with and without duplicate detection; exit 0: all hold
python -m tests.protocol --deep             the same with more faults (an hour, and some GB of memory)
python -m tests.protocol --scenario "K"     those whose name begins so
python -m tests.protocol --without turn     one rule switched off, where that shows; exit 0: it is found broken
python -m tests.protocol --without all      every rule in turn
python -m tests.protocol --trace ...        also print what happens, step by step, until a property is broken
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace

from tests.protocol.rules import RULES, Rule
from tests.protocol.scenarios import SCENARIOS, Scenario
from tests.protocol.search import Found, Search, search, world_of

MAX_STATES = 8_000_000  # About 1 KB each.


def main() -> int:
    """The exit status."""
    options = _parser().parse_args()
    if options.without:
        return _without(options)
    good = True
    for scenario in _chosen(options):
        found = Search(world_of(scenario), max_states=options.max_states).run()
        _say(found, options.trace)
        good = good and found.complete
    return 0 if good else 1


def _without(options: argparse.Namespace) -> int:
    rules = [rule for rule in RULES if options.without in ("all", rule.name)]
    if not rules:
        sys.exit(f"there is no rule {options.without!r}; there are: {', '.join(rule.name for rule in RULES)}")
    good = True
    for rule in rules:
        sys.stdout.write(f"\nwithout {rule.name}: {rule.says}\n")
        good = _is_missed(rule, options) and good
    return 0 if good else 1


def _is_missed(rule: Rule, options: argparse.Namespace) -> bool:
    """Whether something breaks without the rule: in its own scenario, or in one of those asked for."""
    scenarios = _chosen(options) if options.scenario else [rule.witness()]
    for scenario in scenarios:
        found = search(scenario, rule.decisions, frozenset({rule.name}))
        _say(found, options.trace)
        if found.violation:
            return True
    return False


def _chosen(options: argparse.Namespace) -> Iterator[Scenario]:
    for scenario in SCENARIOS:
        if scenario.name.startswith(options.scenario):
            faults = scenario.deep if options.deep else scenario.faults
            faults = faults if options.faults is None else options.faults
            for dedupe in (True, False):
                yield replace(scenario, faults=faults, dedupe=dedupe)


def _say(found: Found, trace: bool) -> None:
    scenario = found.scenario
    detection = "on" if scenario.dedupe else "off"
    came_to = found.violation or ("holds" if found.complete else "not finished")
    sys.stdout.write(
        f"{scenario.name:32} duplicate detection {detection:3}  faults {scenario.faults}"
        f"  {found.states:>11,} states {found.seconds:7.1f} s  {came_to}\n"
    )
    if trace and found.violation:
        sys.stdout.write(f"{found}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    first, _, usage = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m tests.protocol",
        description=first,
        epilog=usage,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--deep", action="store_true", help="the larger number of faults of each scenario")
    parser.add_argument("--faults", type=int, help="faults in every scenario")
    parser.add_argument("--scenario", default="", metavar="NAME", help="those whose name begins so")
    parser.add_argument("--without", metavar="RULE", help=f"all, {', '.join(rule.name for rule in RULES)}")
    parser.add_argument("--trace", action="store_true", help="print how a property is broken")
    parser.add_argument("--max-states", type=int, default=MAX_STATES, help="give up a search there (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
