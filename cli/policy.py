"""``vivavoce policy``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.explaining import (
    explain_file,
    explanation_as_json,
    job_from_options,
    print_explanation,
)
from cli.output import emit_json, note, say, table, warn
from consent.errors import InputError, RefusedError, VerificationError

if TYPE_CHECKING:
    from consent.policy.tables import Outcome
    from consent.registry import Authorization

app = typer.Typer(help="The rules that decide who may use which voice.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


@app.command("list")
def list_policies(
    which: Annotated[
        str | None, typer.Argument(help="Only this pack (eu) or this rule (base/language).")
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print what policies can ask about, as Cedar has it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the rules in force, in words.

    [bold]vivavoce policy list[/bold]
    [bold]vivavoce policy list eu[/bold]
    """
    from consent import policy
    from consent.home import Home
    from consent.policy import PolicyEngine

    if schema:
        say(policy.schema())
        return
    home = Home.open()
    engine = PolicyEngine.of_home(home)
    # What is not switched on can be read, too.
    shown = engine
    if which is not None and which.split("/")[0] in policy.ON_REQUEST:
        shown = PolicyEngine.load(home.policies, switched_on=policy.ON_REQUEST)
    rules = [
        rule
        for rule in shown.rules.values()
        if which is None or rule.id == which or rule.id.split("/")[0] == which
    ]
    if not rules:
        raise InputError(
            f"there is no pack and no rule {which!r}",
            hint=f"Shipped packs: {', '.join(policy.PACKS)}.",
        )
    if as_json:
        emit_json(
            {
                "digest": engine.digest,
                "packs": engine.pack_digests,
                "rules": [asdict(rule) | {"in_force": rule.id in engine.rules} for rule in rules],
            }
        )
        return
    table(
        ("rule", "", "what it says"),
        (
            (rule.id, "allows" if rule.effect == "permit" else "requires", rule.description)
            for rule in rules
        ),
    )
    off = [name for name in policy.ON_REQUEST if f"{name}.cedar" not in engine.pack_digests]
    if off:
        note(f"Not switched on: {', '.join(off)} (policy.packs in config.toml).")


@app.command()
def explain(
    voice: Annotated[
        list[str] | None,
        typer.Option("--voice", "-v", help="Voice to use; may be given more than once."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model to speak with, for a person's voice that no engine has yet."),
    ] = None,
    title: Annotated[str, typer.Option(help="Title of the work.")] = "",
    author: Annotated[str, typer.Option(help="Author of the work.")] = "",
    identifier: Annotated[str, typer.Option(help="ISBN or URN of the work.")] = "",
    purpose: Annotated[str, typer.Option(help="What it is for, as grants name it.")] = "audiobook",
    language: Annotated[
        list[str] | None,
        typer.Option(help="Language of the work; may be given more than once; en if not given."),
    ] = None,
    territory: Annotated[str, typer.Option(help="Country (DE), US-CA, EU, or world.")] = "world",
    channel: Annotated[
        str, typer.Option(help="Where it will be heard: private, store ... ; review: a draft.")
    ] = "private",
    commercial: Annotated[bool, typer.Option("--commercial", help="The work is sold.")] = False,
    minutes: Annotated[float, typer.Option(help="How long each voice speaks.")] = 10.0,
    licensee: Annotated[str, typer.Option(help="Party who uses the voices: id or handle.")] = "",
    content: Annotated[
        list[str] | None,
        typer.Option(help="Declared content, e.g. political; none: nothing of the kind."),
    ] = None,
    artistic: Annotated[
        bool, typer.Option("--artistic", help="Declare an evidently artistic work.")
    ] = False,
    spoken_disclosure: Annotated[
        bool,
        typer.Option("--spoken-disclosure", help="It says aloud that the voice is synthetic."),
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="Read the job from a JSON file instead (docs/policies.md).")
    ] = None,
    authorization: Annotated[
        str | None, typer.Option(help="Explain the job of this authorization, as things stand now.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also list the requirements that are met.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether a job would be allowed, by which rules, and what would cure a no.

    Nothing is authorized. Ends with code 4 if the job would be denied.

      [bold]vivavoce policy explain --voice af_heart --title Emma --commercial[/bold]
      [bold]vivavoce policy explain --file job.json --all[/bold]
      [bold]vivavoce policy explain --authorization 0f3b...[/bold]
    """
    from consent.home import Home
    from consent.registry import Registry

    sources = [voice, file, authorization]
    if sum(source is not None for source in sources) != 1:
        raise InputError(
            "explain needs one job to explain",
            hint="Give --voice (and the rest), or --file, or --authorization.",
        )
    home = Home.open()
    recorded: Authorization | None = None
    with Registry.open(home) as registry:
        if file is not None:
            explanation = explain_file(registry, file)
        elif authorization is not None:
            recorded = registry.authorization(authorization)
            explanation = registry.explain(recorded.request)
        else:
            request = job_from_options(
                registry,
                voices=voice or [],
                model=model,
                work=(title, author, identifier),
                purpose=purpose,
                languages=language or ["en"],
                territory=territory,
                channel=channel,
                commercial=commercial,
                minutes=minutes,
                licensee=licensee,
                content=content or [],
                artistic=artistic,
                spoken_disclosure=spoken_disclosure,
            )
            explanation = registry.explain(request)
        engine = registry.policy
    if as_json:
        emit_json(explanation_as_json(explanation, engine, recorded, everything=everything))
    else:
        print_explanation(explanation, engine, recorded, everything=everything)
    if not explanation.decision.allowed:
        raise typer.Exit(RefusedError.exit_code)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Policy packs (.cedar).")],
    as_json: Json = False,
) -> None:
    """Check a pack of your own before putting it into the home's policies folder.

    [bold]vivavoce policy check our-house.cedar[/bold]
    """
    from consent.home import Home
    from consent.policy import PolicyEngine

    home = Home.open()
    packs = [PolicyEngine.check_file(path, home.policies) for path in files]
    if as_json:
        emit_json(
            [
                {
                    "pack": pack.name,
                    "rules": [asdict(rule) for rule in pack.rules],
                    "remarks": pack.remarks,
                }
                for pack in packs
            ]
        )
        return
    for pack in packs:
        for remark in pack.remarks:
            warn(f"{pack.name}: {remark}")
        table(
            ("rule", "", "what it says"),
            ((rule.id, rule.effect, rule.description or "-") for rule in pack.rules),
        )
        say(f"{pack.name} can be used. It holds from the moment it lies in {home.policies}.")


@app.command()
def test(
    own: Annotated[
        bool, typer.Option("--own", help="Only your own tables (policies/tests in the home).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put the table tests to the policies: the shipped ones, and your own to yours.

    [bold]vivavoce policy test[/bold]
    """
    from consent.home import Home
    from consent.policy.tables import own_cases, run, shipped_cases

    home = Home.open()
    switched_on = home.setting("policy", "packs") or ()
    outcomes: list[Outcome] = [] if own else run(shipped_cases(), None, ())
    outcomes += run(own_cases(home.policies / "tests"), home.policies, switched_on)
    failed = [outcome for outcome in outcomes if outcome.failure is not None]
    if as_json:
        emit_json(
            {
                "cases": len(outcomes),
                "failed": [
                    {"table": one.case.table, "case": one.case.case, "failure": one.failure}
                    for one in failed
                ],
            }
        )
    else:
        for one in failed:
            say(f"{one.case.table}: {one.case.case}\n  {one.failure}")
        if not failed:
            say(f"All {len(outcomes)} cases hold.")
    if failed:
        raise VerificationError(
            f"{len(failed)} of {len(outcomes)} cases do not hold",
            hint="Correct the policies, or the table if it expects what is not meant.",
        )
