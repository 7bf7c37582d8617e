"""Dissects networks that others trained, beside untrained twins, and keeps what they say (`make networks`)."""

from pathlib import Path

from andlib import kept
from andlib.networks import whisper
from andlib.pages.your_own_network import NAME, SHARES
from andlib.profiles import TEST
from andlib.report import dissection
from andlib.report.opening import Asked, opened
from making.command import asked


def main() -> None:
    run, given = asked("Dissects networks that others trained.")
    run, rows = run.using(probing_set=run.probing_set.in_folds(TEST)), []
    for network, task, model in (
        ("aisfx", "tagging sound effects", "andlib.pages.your_own_network:sound_effects"),
        ("whisper", "transcribing speech", str(whisper.base())),
        ("crepe", "telling the pitch of a melody", "book.examples.crepe:pitch"),
    ):
        own = Asked(model, Path(run.data_dir), run.store, captions=run.captions, head=False)
        units = dissection.borne_out(opened(own, run)[0], own)
        about = {"network": network, "trained for": task, "units": len(units)}
        rows.append(about | units[SHARES].mean().round(4).to_dict())
    print(kept.write(given.profile, NAME, {"made_by": run.made_by(*run.caption_parts), "rows": rows}))


if __name__ == "__main__":
    main()
