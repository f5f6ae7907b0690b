"""Which witnesses are believed, and how many are enough (c2sp.org/tlog-policy).

The home's policy is ``trust/witnesses.tlog-policy``, a text file of the specified form::

    witness example.org/w1 example.org/w1+1a2b3c4d+BAAA...
    witness example.net/w2 example.net/w2+5e6f7a8b+BBBB...
    group required 2 example.org/w1 example.net/w2
    quorum required

Without the file nobody is believed and nobody is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consent.errors import InputError, RefusedError
from consent.files import read_limited, write_atomic
from consent.home import Home
from consent.log.cosignature import Cosignature, WitnessVerifier
from consent.log.note import Verifier

FILE = "witnesses.tlog-policy"

_NONE = "none"
_REQUIRED = "required"
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Group:
    """A number of members, of which so many must have cosigned."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """Whose cosignatures count, and the quorum.

    Attributes
    ----------
    witnesses, groups
        By their names in the policy.
    quorum
        The witness or group that must have cosigned; ``"none"`` asks for nobody.
    logs
        Keys of logs that the policy names; who applies it decides what to do with them.
    """

    witnesses: Mapping[str, WitnessVerifier] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str = _NONE
    logs: tuple[Verifier, ...] = ()

    @property
    def keys(self) -> tuple[WitnessVerifier, ...]:
        """The witnesses' keys."""
        return tuple(self.witnesses.values())

    def satisfied(self, cosignatures: Iterable[Cosignature]) -> bool:
        """Whether these (checked) cosignatures are a quorum."""
        signed = {cosignature.witness for cosignature in cosignatures}
        # Members come before the groups that name them: one pass is enough.
        done = {name for name, key in self.witnesses.items() if key in signed} | {_NONE}
        for name, group in self.groups.items():
            if len(done.intersection(group.members)) >= group.threshold:
                done.add(name)
        return self.quorum in done

    def describe(self) -> str:
        """Return what the quorum asks for, as part of a sentence."""
        if self.quorum == _NONE:
            return "no witness"
        if self.quorum in self.witnesses:
            return f"the witness {self.quorum}"
        group = self.groups[self.quorum]
        return f"{group.threshold} of {', '.join(group.members)}"

    @classmethod
    def parse(cls, text: str, *, where: str = "the witness policy") -> WitnessPolicy:
        """Read a policy.

        Raises
        ------
        InputError
            A line is malformed, names what was not defined before, or defines a key or a name
            twice; `where` and the line are named.
        """
        reader = _Reader(where)
        for number, line in enumerate(text.split("\n"), start=1):
            if _FORBIDDEN.search(line):
                raise InputError(f"{where}, line {number}: control characters")
            words = re.split(r"[ \t]+", line.strip(" \t"))
            if words[0] and not words[0].startswith("#"):
                reader.read(words, number)
        return reader.result()

    @property
    def text(self) -> str:
        """The policy in text form."""
        lines = [f"log {log.vkey}" for log in self.logs]
        lines += [f"witness {name} {key.vkey}" for name, key in self.witnesses.items()]
        lines += [
            f"group {name} {group.threshold} {' '.join(group.members)}"
            for name, group in self.groups.items()
        ]
        return "\n".join([*lines, f"quorum {self.quorum}"]) + "\n"

    def adding(self, vkey: str) -> WitnessPolicy:
        """Return the policy with one more witness, required if all were.

        Raises
        ------
        InputError
            It is not a witness's key, or is known.
        RefusedError
            The policy was written by hand.
        """
        self._refuse_handwritten()
        key = WitnessVerifier.parse(vkey)
        if key.name in self.witnesses or key.public in {k.public for k in self.keys}:
            raise InputError(f"the witness {key.name} is trusted already")
        everybody = bool(self.witnesses) and self._threshold == len(self.witnesses)
        wanted = self._threshold + 1 if everybody or not self.witnesses else self._threshold
        return _simple({**self.witnesses, key.name: key}, wanted, self.logs)

    def without(self, name: str) -> WitnessPolicy:
        """Return the policy without one witness; no more are required than are left.

        Raises
        ------
        InputError
            There is none of that name.
        RefusedError
            The policy was written by hand.
        """
        self._refuse_handwritten()
        if name not in self.witnesses:
            known = ", ".join(self.witnesses) or "none"
            raise InputError(f"there is no witness {name!r}", hint=f"Trusted: {known}.")
        left = {other: key for other, key in self.witnesses.items() if other != name}
        return _simple(left, min(self._threshold, len(left)), self.logs)

    def requiring(self, count: int) -> WitnessPolicy:
        """Return the policy with a quorum of any `count` of its witnesses.

        Raises
        ------
        InputError
            There are not so many.
        RefusedError
            The policy was written by hand.
        """
        self._refuse_handwritten()
        if not 0 <= count <= len(self.witnesses):
            raise InputError(
                f"{count} witnesses cannot be required, {len(self.witnesses)} are trusted"
            )
        return _simple(self.witnesses, count, self.logs)

    @property
    def _threshold(self) -> int:
        return 0 if self.quorum == _NONE else self.groups[_REQUIRED].threshold

    def _refuse_handwritten(self) -> None:
        simple = set(self.groups) <= {_REQUIRED} and self.quorum in (_NONE, _REQUIRED)
        if not simple:
            raise RefusedError(
                "the witness policy was written by hand, and this would lose its groups",
                hint=f"Edit it: {FILE} in the home's trust folder.",
            )


def load_policy(home: Home) -> WitnessPolicy:
    """Return the home's witness policy; without a file, one that believes nobody.

    Raises
    ------
    InputError
        The file is damaged. It is never taken for "nobody".
    """
    path = policy_file(home)
    try:
        data = read_limited(path, 1 << 20)
    except FileNotFoundError:
        return WitnessPolicy()
    except OSError as exc:
        raise InputError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    return WitnessPolicy.parse(data.decode("utf-8", "replace"), where=str(path))


def save_policy(home: Home, policy: WitnessPolicy) -> None:
    """Write the home's witness policy."""
    write_atomic(policy_file(home), policy.text.encode(), mode=0o600)


def policy_file(home: Home) -> Path:
    """Return where the home's witness policy is."""
    return home.trust / FILE


def _simple(
    witnesses: Mapping[str, WitnessVerifier], threshold: int, logs: tuple[Verifier, ...]
) -> WitnessPolicy:
    if threshold == 0:
        return WitnessPolicy(witnesses, {}, _NONE, logs)
    return WitnessPolicy(
        witnesses, {_REQUIRED: Group(threshold, tuple(witnesses))}, _REQUIRED, logs
    )


class _Reader:
    """Reads a policy line by line."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._logs: list[Verifier] = []
        self._witnesses: dict[str, WitnessVerifier] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: str | None = None

    def read(self, words: list[str], number: int) -> None:
        try:
            match words:
                case ["log", vkey] | ["log", vkey, _]:
                    self._log(Verifier.parse(vkey))
                case ["witness", name, vkey] | ["witness", name, vkey, _]:
                    self._witness(name, WitnessVerifier.parse(vkey))
                case ["group", name, count, *members] if members:
                    self._group(name, count, members)
                case ["quorum", name]:
                    self._set_quorum(name)
                case _:
                    raise InputError(f"{' '.join(words)[:80]!r} is not a line of a policy")
        except InputError as exc:
            raise InputError(f"{self._where}, line {number}: {exc.message}") from exc

    def result(self) -> WitnessPolicy:
        if self._quorum is None:
            raise InputError(
                f"{self._where} has no quorum line", hint="Write 'quorum none' to ask for nobody."
            )
        return WitnessPolicy(self._witnesses, self._groups, self._quorum, tuple(self._logs))

    def _log(self, key: Verifier) -> None:
        if key.public in {known.public for known in self._logs}:
            raise InputError(f"the key of the log {key.name} is there twice")
        self._logs.append(key)

    def _witness(self, name: str, key: WitnessVerifier) -> None:
        self._refuse_known(name)
        if key.public in {known.public for known in self._witnesses.values()}:
            raise InputError(f"the key of the witness {name} is there twice")
        self._witnesses[name] = key

    def _group(self, name: str, count: str, members: list[str]) -> None:
        self._refuse_known(name)
        for member in members:
            self._refuse_undefined(member)
            if member in self._members:
                raise InputError(f"{member!r} is a member twice")
            self._members.add(member)
        words = {"any": "1", "all": str(len(members))}
        text = words.get(count, count)
        if not re.fullmatch(r"[1-9][0-9]{0,3}", text) or int(text) > len(members):
            raise InputError(f"{count[:40]!r} of {len(members)} cannot be required")
        self._groups[name] = Group(int(text), tuple(members))

    def _set_quorum(self, name: str) -> None:
        if self._quorum is not None:
            raise InputError("there is a second quorum line")
        if name != _NONE:
            self._refuse_undefined(name)
        self._quorum = name

    def _refuse_known(self, name: str) -> None:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise InputError(f"the name {name!r} is taken")

    def _refuse_undefined(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise InputError(f"{name!r} was not defined before")
