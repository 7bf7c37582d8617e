"""Progress bars that a full disk, where their log lies, does not end."""

from contextlib import suppress

from tqdm import tqdm as anywhere


class tqdm(anywhere):  # under the name that everybody knows
    """As it is known, but a line that cannot be written is left out."""

    def display(self, *arguments, **options) -> None:
        with suppress(OSError):
            super().display(*arguments, **options)

    def close(self) -> None:
        with suppress(OSError):
            super().close()
