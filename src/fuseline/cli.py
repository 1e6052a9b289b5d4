"""The command `fuseline`: what is not a stage of the pipeline."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fuseline.errors import ConfigError, FuselineError


class Commands(TyperGroup):
    """Commands that may want more than is installed: the package itself needs little, and what
    more there is hangs on what somebody wants to do."""

    def invoke(self, ctx: Any) -> Any:
        """Run one; where a module is missing, say what to install, and exit with status 2."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            if (error.name or "fuseline").startswith("fuseline"):
                raise
            print(
                f"{ctx.invoked_subcommand}: the module {error.name} is not installed here. To run"
                " the pipeline: pip install 'fuseline[train]', or in a project make setup. To"
                " answer with an exported model: pip install 'fuseline[predict]'; to serve it:"
                " pip install 'fuseline[serve]'.",
                file=sys.stderr,
            )
            raise typer.Exit(2) from None


app = typer.Typer(
    cls=Commands,
    help="Fuseline: multimodal model training as a DVC pipeline.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


COMPARE_WHAT = (
    "expected git revisions, experiments or `workspace`, found none. Name some:\n"
    "  fuseline compare HEAD                  # the last commit against the workspace\n"
    "  fuseline compare HEAD~1 HEAD           # two commits\n"
    "  fuseline compare main brave-fox        # a branch against an experiment"
)


@contextmanager
def _readable_errors(command: str) -> Iterator[None]:
    """Show what a user can mend as one message, and exit with status 2."""
    try:
        yield
    except FuselineError as error:
        print(f"{command}: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


@app.command()
def check() -> None:
    """Check every key and value of params.yaml.

    And that no link in data/raw leads nowhere.
    """
    from fuseline.config import PARAMS_FILE, read_yaml
    from fuseline.params.whole import check as check_params
    from fuseline.workbench.doctor.raw import refuse_lost_links

    with _readable_errors("check"):
        check_params(read_yaml(PARAMS_FILE))
        refuse_lost_links(Path())
    print(f"{PARAMS_FILE}: every key is known and every value valid.")


@app.command()
def doctor(
    remote: Annotated[bool, typer.Option("--remote", help="Ask the remotes too.")] = False,
) -> None:
    """Look for what would make a run fail, and name remedies."""
    from fuseline.workbench.doctor import Level, examine

    findings = []
    with _readable_errors("doctor"):
        for finding in examine(Path.cwd(), remote=remote):
            print(finding, flush=True)
            findings.append(finding)
    if any(finding.level is Level.FATAL for finding in findings):
        raise typer.Exit(1)


@app.command()
def check_remote(
    revisions: Annotated[
        list[str] | None,
        typer.Argument(help="Commits, branches or experiments to look at besides the workspace."),
    ] = None,
    remote: Annotated[
        str | None, typer.Option(help="A remote's name; the default one where absent.")
    ] = None,
) -> None:
    """Fetch folders' lists of files, each checked.

    To run before dvc pull and dvc repro --pull.
    """
    from fuseline.pipeline.remote import fetch_lists

    with _readable_errors("check-remote"):
        lists = fetch_lists(Path.cwd(), remote, revisions or [])
    print(f"{lists.checked} list(s) of files are in the cache, each as its hash says.")
    if lists.skipped:
        print(f"{lists.skipped} skipped: of `dvc import`, or of `push: false` and in no remote.")


@app.command()
def estimate(
    rows: Annotated[
        int | None, typer.Option(help="Of every stage, what so many rows cost.", min=1)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Of every stage, as if none was up to date.")
    ] = False,
) -> None:
    """Time, memory and disk that the next dvc repro takes.

    By stage, for the params and rows that are here: from the last run of each stage on this
    machine, or from measured slopes and a short look at how fast the machine is.
    """
    from fuseline.workbench.estimate import estimate as estimate_run

    with _readable_errors("estimate"):
        print(estimate_run(Path(), rows=rows, every=every))


@app.command()
def summary() -> None:
    """Print the headline figures of the last run."""
    from fuseline.workbench.summary import summarise

    with _readable_errors("summary"):
        print(summarise(Path("metrics")))


@app.command()
def plots_page() -> None:
    """Make the pages of dvc plots work without a network.

    `make setup` does it.
    """
    from fuseline.workbench.plots_page import write_plots_page

    with _readable_errors("plots-page"):
        print(f"{write_plots_page(Path())}: `dvc plots show` and `dvc plots diff` use it.")


@app.command()
def verify(
    revision: Annotated[
        str, typer.Argument(metavar="REV", help="Commit, tag or branch to compare with.")
    ] = "HEAD",
    tolerance: Annotated[
        float, typer.Option(help="How far scores between 0 and 1 may lie apart.", min=0.0, max=1.0)
    ] = 0.02,
) -> None:
    """Compare the last run with what a revision committed.

    Says which stage diverged first, and why.
    """
    from fuseline.workbench.verify import compare, describe

    with _readable_errors("verify"):
        comparison = compare(Path.cwd(), revision, tolerance)
    print(describe(comparison))
    if comparison.first_diverged:
        raise typer.Exit(1)


@app.command()
def compare(
    revisions: Annotated[
        list[str] | None,
        typer.Argument(
            help="Git revisions, experiments, or `workspace`. Of one alone: it and the workspace."
        ),
    ] = None,
) -> None:
    """Show figures side by side, and which differences are real."""
    from fuseline.workbench.comparing.compare import compare as compare_revisions

    with _readable_errors("compare"):
        if not revisions:
            raise ConfigError(COMPARE_WHAT)
        print(compare_revisions(Path(), revisions))


@app.command()
def tune(
    plan: Annotated[Path, typer.Argument(help="What to search, as YAML.")] = Path("tune.yaml"),
) -> None:
    """Search for better params, each trial a DVC experiment.

    Run again, it goes on.
    """
    from fuseline.workbench.tuning.run import tune as run_search

    with _readable_errors("tune"), _interruptible(f"fuseline tune {plan}"):
        run_search(plan, Path(), lambda line: print(line, flush=True))


@contextmanager
def _interruptible(command: str) -> Iterator[None]:
    """Take SIGTERM for a Ctrl-C; leave with a sentence and an interrupted command's status."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        print(f"Interrupted. To go on: {command}", file=sys.stderr)
        raise typer.Exit(128 + signal.SIGINT) from None


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="Folder to make, or an empty one.")],
) -> None:
    """Make a project: a git and DVC repository with the pipeline, which runs the installed package.

    It has everything that a run needs, and begins with built-in pictures. Touches no network.
    """
    from fuseline.workbench.project import create_project, next_steps

    with _readable_errors("new"):
        create_project(folder)
    print(next_steps(folder))


@app.command()
def init(
    file: Annotated[
        Path | None,
        typer.Argument(help="Your data: .csv, .jsonl, .parquet or .tar, or a folder."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A system to run, laid over the project: recipes/."),
    ] = None,
    directory: Annotated[
        Path, typer.Option(help="Root of the Fuseline repository to set up.")
    ] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Write params.yaml without asking.")] = False,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy data from elsewhere, with its media, to data/raw.")
    ] = False,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use",
            metavar="COLUMN=USE",
            help="Say what a column is for: text, image, audio, video, tabular, label, id, group,"
            " split, lang, license, provenance, target:KIND (category, categories, number, tags,"
            " text) or nothing. May stand several times.",
        ),
    ] = None,
) -> None:
    """Set up params.yaml for your data, by a guess at its columns.

    Shows each column with what it is for and why, and what would use those left out. Nothing is
    written that `fuseline check` would refuse; the params.yaml before is kept beside the new one.
    A recipe alone leaves the data as they are; no file of yours is written over by it.
    """
    from fuseline.workbench.recipes.set_up import Asked, set_up

    with _readable_errors("init"):
        asked = Asked(file, recipe, directory, copy, use or [])
        done = set_up(asked, None if yes else _ask)
    print(f"\n{done}")


@app.command()
def predict(
    rows: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT",
            help="A table (.csv, .jsonl, .parquet), tar shards, pictures or sounds: a file, a"
            " folder or a pattern; `-` for standard input.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".csv, .jsonl or .parquet; lines of JSON if absent."),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Of one row.")] = None,
    image: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Of one row.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Of one row.")] = None,
    video: Annotated[Path | None, typer.Option(help="Of one row.")] = None,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Of one row; several times.")
    ] = None,
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
    int8: Annotated[bool, typer.Option("--int8", help="Answer with 8-bit integers.")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Give those of every label.")
    ] = False,
    neighbours: Annotated[
        bool, typer.Option("--neighbours", help="Give the nearest training rows.")
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="Give the vectors of all that a row holds.")
    ] = False,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="What written texts are to be like; several times."
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=NAME",
            help="The column of id, text, image, audio, video or tabular; several times for"
            " several; no name for none. As in training where absent.",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Name of the source that reads the input, if not by its path.")
    ] = "",
    encoding: Annotated[str, typer.Option(help="Of text files.")] = "utf-8",
    threads: Annotated[int, typer.Option(help="To compute on.", min=1)] = 2,
    log: Annotated[
        Path | None,
        typer.Option(help="Write scores too, never contents: what `fuseline drift` reads."),
    ] = None,
) -> None:
    """Answer rows with the exported model, unlabelled ones too.

    Rows are cleaned as `ingest` cleaned those of training; what it would refuse is not answered,
    and told with its reason. A run that was killed goes on where it stopped.
    """
    from fuseline.serving.command import (
        LOG_NEEDS_OUTPUT,
        ONE_IS_PRINTED,
        Asked,
        OneRow,
        answer_one,
        answer_rows,
    )

    asked = Asked(model, int8, probabilities, neighbours, threads, vectors, control or [])
    with _readable_errors("predict"), _interruptible("fuseline predict, with the same arguments"):
        if rows is None and source:
            rows = source
        if rows is not None:
            refused = answer_rows(asked, rows, output, column or [], source, encoding, log)
        elif log:
            raise ConfigError(LOG_NEEDS_OUTPUT)
        elif output:
            raise ConfigError(ONE_IS_PRINTED)
        else:
            media = _media(image, audio, video)
            refused = answer_one(asked, OneRow(text or [], media, cell or []))
    if refused:
        raise typer.Exit(1)


@app.command()
def search(
    index: Annotated[
        Path, typer.Argument(help="What `fuseline predict ROWS --vectors -o index.parquet` wrote.")
    ],
    rows: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERIES",
            help="Rows to look for, as `fuseline predict` reads them; `-` for standard input.",
        ),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Of one query.")] = None,
    image: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="Of one query.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Of one query.")] = None,
    video: Annotated[Path | None, typer.Option(help="Of one query.")] = None,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Of one query; several times.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-k", help="Rows to find.", min=1)] = 10,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODALITY",
            help="What of the rows is compared; several times. Where absent what the query lacks,"
            " or all if it lacks nothing.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".csv, .jsonl or .parquet; lines of JSON if absent."),
    ] = None,
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
    int8: Annotated[bool, typer.Option("--int8", help="Answer with 8-bit integers.")] = False,
    threads: Annotated[int, typer.Option(help="To compute on.", min=1)] = 2,
) -> None:
    """Find the rows of an index that are nearest to a text, a picture, or whatever a row may hold.

    A model that learnt retrieval compares modalities with one another, any other the vectors of all
    that a row holds.
    """
    from fuseline.serving.command import Asked, OneRow, Search, search_rows

    asked = Asked(model, int8, probabilities=False, neighbours=False, threads=threads, vectors=True)
    with _readable_errors("search"):
        row = OneRow(text or [], _media(image, audio, video), cell or [])
        sought = Search(index, count, by or [], output)
        nothing = search_rows(asked, sought, row if rows is None else rows)
    if nothing:
        raise typer.Exit(1)


def _media(
    image: list[Path] | None, audio: Path | None, video: Path | None
) -> dict[str, list[Path]]:
    """Files of one row by modality."""
    return {
        "image": image or [],
        "audio": [audio] if audio else [],
        "video": [video] if video else [],
    }


@app.command()
def recommend(
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="Somebody whose events are known.")
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help='What somebody used: ["ID", …], or [{"item": ID, "time": ISO or seconds}, …].',
        ),
    ] = None,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="Lists of all known users, to --output.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=".parquet, with --all-users.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-k", help="Items of a list.", min=1)] = 10,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="COLUMN=VALUE, COLUMN>=NUMBER or COLUMN<=NUMBER; several times.",
        ),
    ] = None,
    diversity: Annotated[
        float, typer.Option(help="0: by score alone; 1: as different as can be.", min=0, max=1)
    ] = 0.0,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="List items of the history too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
) -> None:
    """List items for a person, and say why, by a model whose first task is recommendation.

    docs/recommendations.md tells more.
    """
    from fuseline.serving.recommending import command

    asked = command.Asked(model, count, where or [], diversity, include_seen)
    with _readable_errors("recommend"):
        command.check_choice(user, history, all_users, output)
        if output is not None:
            print(command.recommend_all(asked, output))
            return
        text, content = command.recommend_one(asked, user, history)
    print(content if as_json else text)


Service = Annotated[Path, typer.Option(help="How the service answers.")]


@app.command()
def chat(
    service: Service = Path("service/service.yaml"),
    evaluate: Annotated[
        Path | None,
        typer.Option(metavar="DIALOGUES", help="Play these dialogues (.jsonl) and measure them."),
    ] = None,
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
    int8: Annotated[bool, typer.Option("--int8", help="Answer with 8-bit integers.")] = False,
    threads: Annotated[int, typer.Option(help="To compute on.", min=1)] = 2,
) -> None:
    """Answer customers' messages, a line each, from a knowledge file and templates.

    Asks back where two intents are close, and hands over to a person. Exit status of an
    evaluation: 0 where every turn went rightly, else 1. docs/customer-service.md tells more.
    """
    from fuseline.serving.chat import command

    asked = command.Asked(service, model, int8, threads)
    with _readable_errors("chat"), _interruptible("fuseline chat, with the same arguments"):
        if evaluate is None:
            command.converse(asked)
        elif command.evaluate(asked, evaluate):
            raise typer.Exit(1)


intents = typer.Typer(help="Intents of a service, beside those that its model learnt.")
app.add_typer(intents, name="intents")


@intents.command()
def add(
    name: Annotated[str, typer.Argument(help="Of the intent; one of the same name is replaced.")],
    sentences: Annotated[
        Path, typer.Argument(help="Text file: five sentences or more, one a line.")
    ],
    service: Service = Path("service/service.yaml"),
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
) -> None:
    """Add an intent from a few sentences, without training."""
    from fuseline.serving.chat import command

    with _readable_errors("intents add"):
        print(command.add_intent(command.Asked(service, model, False, 1), name, sentences))


@intents.command()
def show(service: Service = Path("service/service.yaml")) -> None:
    """List the intents that were added."""
    from fuseline.serving.chat import command

    with _readable_errors("intents show"):
        for line in command.added_intents(service):
            print(line)


@app.command()
def serve(
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8000,
    int8: Annotated[bool, typer.Option("--int8", help="Answer with 8-bit integers.")] = False,
    max_batch_rows: Annotated[int, typer.Option(help="Rows answered at once.", min=1)] = 32,
    max_wait_ms: Annotated[
        float, typer.Option(help="Milliseconds that a row waits for others.", min=0.0)
    ] = 5.0,
    max_concurrent_requests: Annotated[
        int, typer.Option(help="At work at a time; more are sent away with 429.", min=1)
    ] = 512,
    max_rows: Annotated[int, typer.Option(help="Rows of a request.", min=1)] = 256,
    workers: Annotated[
        int, typer.Option(help="Processes that answer, each with a model.", min=1)
    ] = 1,
    threads: Annotated[int, typer.Option(help="That a model computes on.", min=1)] = 1,
    decoders: Annotated[
        int | None,
        typer.Option(
            help="Processes that read and clean rows, of each worker; the machine's cores shared"
            " among the workers if absent.",
            min=1,
        ),
    ] = None,
    request_seconds: Annotated[
        float, typer.Option(help="In which a request is answered or sent away.", min=0.1)
    ] = 60.0,
    reload_seconds: Annotated[
        float, typer.Option(help="Between looks for a new export; 0 for none.", min=0.0)
    ] = 2.0,
    shadow: Annotated[
        Path | None,
        typer.Option(help="Folder of another export: log where it would have answered otherwise."),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(help="Keys that open the server, one a line; else FUSELINE_API_KEY if set."),
    ] = None,
    score_log: Annotated[
        Path | None,
        typer.Option(help="Add scores here, never contents: what `fuseline drift` reads."),
    ] = None,
    service: Annotated[
        Path | None,
        typer.Option(help="Hold conversations too, at /v1/chat, as this service.yaml says."),
    ] = None,
) -> None:
    """Answer rows over HTTP with the exported model.

    A new export in the folder is taken up without losing a request. SIGTERM ends it once what is
    in flight is answered. docs/serving.md has the routes.
    """
    from fuseline.serving.server.run import serve as run_server
    from fuseline.serving.server.settings import Settings, read_keys

    with _readable_errors("serve"):
        settings = Settings(
            model=model,
            int8=int8,
            threads=threads,
            max_batch_rows=max_batch_rows,
            max_wait_ms=max_wait_ms,
            max_concurrent_requests=max_concurrent_requests,
            max_rows=max_rows,
            decoders=decoders or max(1, (os.cpu_count() or 1) // workers),
            request_seconds=request_seconds,
            reload_seconds=reload_seconds,
            shadow=shadow,
            workers=workers,
            keys=read_keys(api_key_file),
            score_log=score_log,
            service=service,
        )
        run_server(settings, host, port)


@app.command()
def drift(
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG...",
            help="Scores that `fuseline serve --score-log` or `fuseline predict --log` wrote, the"
            " oldest first; .gz too.",
        ),
    ],
    export: Annotated[Path, typer.Option(help="Folder of the export that answered.")] = Path(
        "models/export"
    ),
    last: Annotated[int | None, typer.Option(help="Only the last rows, so many.", min=1)] = None,
    false_alarms: Annotated[
        float,
        typer.Option(help="How often drift may be told where nothing moved.", min=0.0001, max=0.5),
    ] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Tell it as JSON.")] = False,
) -> None:
    """Tell whether rows in use are still answered as the test rows were.

    Compares predicted labels, confidence, the share out of scope, and the modalities that rows
    hold. Exit status 0: no drift found; 1: drift; 2: it could not be asked so.
    """
    from fuseline.serving.drift.command import Asked, look

    with _readable_errors("drift"):
        found = look(Asked(logs, export, last, false_alarms))
    print(found.as_json() if as_json else found.described())
    if found.drifted:
        raise typer.Exit(1)


@app.command()
def monitor(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Lines of JSON, each with a time: a folder that grows, `-` for standard input, or"
            " a URL of this machine.",
        ),
    ],
    settings: Annotated[Path, typer.Option(help="What is watched.")] = Path("monitor.yaml"),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for state, alarms, audit log and page.")
    ] = Path("monitor"),
    model: Annotated[Path, typer.Option(help="Folder of the export.")] = Path("models/export"),
    answered: Annotated[
        bool, typer.Option("--answered", help="All rows have their label: ask no model.")
    ] = False,
    int8: Annotated[bool, typer.Option("--int8", help="Answer with 8-bit integers.")] = False,
    threads: Annotated[int, typer.Option(help="To compute on.", min=1)] = 2,
    once: Annotated[
        bool, typer.Option("--once", help="End where the folder ends now; else wait for more.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option("--again", help="The stream begins anew with what it gave before: skip that."),
    ] = False,
    fail_on_alarm: Annotated[
        bool,
        typer.Option(
            "--fail-on-alarm",
            help="Exit with status 1 if a topic alarmed; a folder is not followed beyond that.",
        ),
    ] = False,
) -> None:
    """Watch the mood of a stream of rows by topic, and tell when it turns.

    Alarms are printed as lines of JSON, and kept with the state and a live page in the output's
    folder. A run that was killed goes on where it stopped. docs/monitor.md has the settings.
    """
    from fuseline.serving.monitor.run import Asked
    from fuseline.serving.monitor.run import monitor as watch

    asked = Asked(
        source,
        settings,
        output,
        None if answered else model,
        int8,
        threads,
        once,
        again,
        fail_on_alarm,
    )
    # A pipe that is given anew would count twice what it gave.
    anew = " and --again if the stream begins anew" if source == "-" or "://" in source else ""
    go_on = f"fuseline monitor, with the same arguments{anew}"
    with _readable_errors("monitor"), _interruptible(go_on):
        alarms = watch(asked)
    if alarms and fail_on_alarm:
        raise typer.Exit(1)


def _ask(question: str) -> None:
    """Go on only where somebody says yes.

    Raises:
        ConfigError: nobody can be asked.
        typer.Exit: the answer is no.
    """
    if not sys.stdin.isatty():
        raise ConfigError("nothing was changed. Add --yes to go on without being asked.")
    if not typer.confirm(f"\n{question}"):
        print("Nothing was changed.")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
