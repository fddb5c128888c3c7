"""Reading ssh_config files: lines, Host and Match blocks, Include. Values are kept as written."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import lru_cache
from pathlib import Path

from triagebook.runbooks.engine.dataclass import dataclass
from triagebook.runbooks.engine.errors import UsageError
from triagebook.tools.patterns import matches_list

MAX_INCLUDES = 16
REPEATED = frozenset({"identityfile", "certificatefile"})  # every value counts
KEPT = frozenset(
    [
        "hostname",
        "user",
        "port",
        "identitiesonly",
        "identityagent",
        "proxyjump",
        "proxycommand",
        "userknownhostsfile",
        "globalknownhostsfile",
        "hostkeyalias",
        "connecttimeout",
        "stricthostkeychecking",
        "canonicalizehostname",
    ]
)


PLAIN_HOST = "host of names"  # a Host line without patterns: most lines of a long file, for each host of a fleet
_SPECIAL = frozenset("\"'\\#")  # in a line without them, words are what stands between spaces


@dataclass(frozen=True)
class MatchContext:
    """Whom the blocks are matched against: the name as written, a user given with it, and the local account."""

    host: str
    user: str | None
    local_user: str
    home: Path


@dataclass
class ConfigOptions:
    """Values by lower-case keyword, in the order found."""

    values: dict[str, list[list[str]]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.remarks))

    def add(self, keyword: str, words: list[str]) -> None:
        if keyword in REPEATED:
            known = self.values.setdefault(keyword, [])
            if words not in known:
                known.append(words)
        elif keyword in KEPT and keyword not in self.values:
            self.values[keyword] = [words]
            self.order.append(keyword)

    def one(self, keyword: str) -> str | None:
        """The first value as one text."""
        found = self.values.get(keyword)
        return " ".join(found[0]) if found else None

    def words(self, keyword: str) -> tuple[str, ...]:
        """The words of the first value."""
        found = self.values.get(keyword)
        return tuple(found[0]) if found else ()

    def all(self, keyword: str) -> tuple[str, ...]:
        return tuple(" ".join(words) for words in self.values.get(keyword, ()))

    def first(self, *keywords: str) -> tuple[str, str | None]:
        """Whichever keyword was met first, and its value."""
        for keyword in self.order:
            if keyword in keywords:
                return keyword, self.one(keyword)
        return keywords[0], None


def read_options(context: MatchContext, files: Sequence[tuple[Path, bool]]) -> ConfigOptions:
    """Read the files in order; one marked True must exist. With `Match final` they are read twice, as ssh does.

    Raises:
        UsageError: `FILE:LINE: what is wrong`.
    """
    options = ConfigOptions()
    reading = _ConfigReader(context, options)
    for file, is_required in files:
        reading.file(file, is_required=is_required)
    if reading.has_final:
        reading.is_final = True
        options.values.setdefault("hostname", [[_host_name(options, context)]])  # known by then: ssh takes no other one
        for file, is_required in files:
            reading.file(file, is_required=is_required)
    return options


def aliases(files: Sequence[tuple[Path, bool]], user: str, home: Path) -> tuple[str, ...]:
    """The names after `Host`, in order, without patterns and what is negated; Include is followed. Raises UsageError."""
    reading = _ConfigReader(MatchContext("", None, user, home), ConfigOptions())
    for file, is_required in files:
        reading.file(file, is_required=is_required)
    return tuple(dict.fromkeys(name for name in reading.named if not set("*?!") & set(name)))


class _ConfigReader:
    """One pass over the files. `has_final` is set when a `Match final` asks for another."""

    def __init__(self, context: MatchContext, options: ConfigOptions) -> None:
        self.context = context
        self.options = options
        self.has_final = False
        self.is_final = False
        self.named: list[str] = []  # after Host, wherever it stands

    def file(self, file: Path, *, is_required: bool, depth: int = 0, is_active: bool = True) -> None:
        if depth > MAX_INCLUDES:
            raise UsageError(f"{file}: Include goes {MAX_INCLUDES} files deep: a circle?")
        try:
            state = file.stat()
            lines = _parse(file, state.st_mtime_ns, state.st_size).lines_for(self.context.host)
        except OSError as error:
            if is_required:
                raise UsageError(f"cannot read {file}: {error.strerror}") from error
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                self.options.remarks.append(f"cannot read {file}: {error.strerror}")
            return
        outer = is_active
        for number, keyword, words in lines:
            if keyword == PLAIN_HOST:
                self.named += words
                is_active = outer and self.context.host in words
            elif keyword == "host":
                self.named += words
                is_active = outer and matches_list(self.context.host, words)
            elif keyword == "match":
                is_active = self._match(words, f"{file}:{number}") and outer
            elif keyword == "include":
                for path in self._included_files(words, file):
                    self.file(path, is_required=False, depth=depth + 1, is_active=is_active)
            elif is_active:
                self.options.add(keyword, words)

    def _included_files(self, words: Sequence[str], file: Path) -> Iterator[Path]:
        """Relative names are relative to ~/.ssh in a user's file, to /etc/ssh in the system's."""
        base = file.parent if file.is_relative_to("/etc/ssh") else self.context.home / ".ssh"
        for word in words:
            pattern = os.path.expanduser(word.replace("~/", f"{self.context.home}/", 1) if word[:2] == "~/" else word)
            yield from map(Path, sorted(glob.glob(str(base / pattern))))

    def _match(self, words: list[str], where: str) -> bool:
        """The criteria of a Match line; all must hold."""
        is_matched = True
        criteria = iter(words)
        for word in criteria:
            name, equals, given = word.removeprefix("!").partition("=")
            name, is_wanted = name.lower(), not word.startswith("!")
            if name == "all":
                is_true = True
            elif name in ("final", "canonical"):
                self.has_final = self.has_final or name == "final"
                is_true = self.is_final
            else:
                argument = given if equals else next(criteria, None)
                if not argument:
                    raise UsageError(f"{where}: Match {word} needs a value")
                is_true = self._criterion(name, argument, where, is_wanted=is_wanted)
            is_matched = is_matched and is_true == is_wanted
        return is_matched

    def _criterion(self, name: str, argument: str, where: str, *, is_wanted: bool) -> bool:
        if name == "exec":
            self.options.remarks.append(f"{where}: Match exec is not run; use --transport openssh if it matters here")
            return not is_wanted  # the block is skipped, negated or not
        values = {
            "host": lambda: _host_name(self.options, self.context),
            "originalhost": lambda: self.context.host,
            "user": lambda: self.context.user or self.options.one("user") or self.context.local_user,
            "localuser": lambda: self.context.local_user,
        }
        if name not in values:
            self.options.remarks.append(f"{where}: Match {name} is not known here; the block is skipped")
            return not is_wanted
        return matches_list(values[name](), argument.split(","), ignore_case=name in {"host", "originalhost"})


def _host_name(options: ConfigOptions, context: MatchContext) -> str:
    """`Match host` looks at HostName where it is set by then."""
    return (options.one("hostname") or "%h").replace("%h", context.host)


_Line = tuple[int, str, list[str]]  # number, keyword, words
_Span = tuple[int, int]


@dataclass(frozen=True)
class _Parsed:
    """A file's lines: `blocks` are spans under a Host line of plain names, by name; `rest` are the spans of all others."""

    lines: tuple[_Line, ...]
    blocks: dict[str, list[_Span]]
    rest: tuple[_Span, ...]

    def lines_for(self, host: str) -> Sequence[_Line]:
        """What may matter to a host: not the blocks of others, which are nearly all of a long file. "" is all of it."""
        if not host:
            return self.lines
        spans = sorted([*self.rest, *self.blocks.get(host, ())])
        return [line for begin, end in spans for line in self.lines[begin:end]]


@lru_cache(maxsize=64)
def _parse(file: Path, mtime_ns: int, size: int) -> _Parsed:
    """A fleet asks for many hosts of one file: it is read once, until it changes."""
    lines: list[_Line] = []
    for number, line in enumerate(file.read_text("utf-8", "replace").split("\n"), 1):
        keyword, words = _split(line, f"{file}:{number}")
        if keyword == "host" and not set("*?!") & set("".join(words)):
            keyword = PLAIN_HOST
        if keyword:
            lines.append((number, keyword, words))
    heads = [index for index, line in enumerate(lines) if line[1] in (PLAIN_HOST, "host", "match")]
    blocks: dict[str, list[_Span]] = {}
    rest: list[_Span] = []
    for begin, end in zip([0, *heads], [*heads, len(lines)], strict=True):
        block = lines[begin:end]
        if block and block[0][1] == PLAIN_HOST and all(line[1] != "include" for line in block):
            for name in set(block[0][2]):
                blocks.setdefault(name, []).append((begin, end))
        else:
            rest.append((begin, end))
    return _Parsed(tuple(lines), blocks, tuple(rest))


def _split(line: str, where: str) -> tuple[str, list[str]]:
    """Keyword (lower case) and words; ("", []) for an empty line or a comment.

    `Keyword value`, `Keyword=value`, double quotes round a value with spaces; `#` begins a comment between words.
    ProxyCommand and the like keep their line as it is.
    """
    text = line.strip(" \t\r\f")
    if not text or text.startswith("#"):
        return "", []
    if "\0" in text:
        raise UsageError(f"{where}: a NUL character, which no name or path can have")
    end = len(text.replace("\t", " ").replace("=", " ").partition(" ")[0])
    keyword, rest = text[:end].lower().strip('"'), text[end:].lstrip(" \t")
    if rest.startswith("="):
        rest = rest[1:].lstrip(" \t")
    if not rest:
        raise UsageError(f"{where}: {keyword} has no value")
    if keyword in ("proxycommand", "remotecommand", "localcommand", "knownhostscommand"):
        return keyword, [rest]
    return keyword, _words(rest, where)


def _words(text: str, where: str) -> list[str]:
    if _SPECIAL.isdisjoint(text):  # as nearly all lines are
        return [word for word in text.replace("\t", " ").split(" ") if word]
    words: list[str] = []
    current, quote, is_word = "", "", False
    escaped = False
    for index, character in enumerate(text):
        if escaped:
            current += character
            escaped = False
        elif character == "\\" and text[index + 1 : index + 2] in ('"', "'", "\\", *((" ",) if not quote else ())):
            escaped = is_word = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                current += character
        elif character in "\"'":
            quote, is_word = character, True
        elif character in " \t":
            if is_word:
                words.append(current)
            current, is_word = "", False
        elif character == "#" and not is_word:
            break
        else:
            current, is_word = current + character, True
    if quote:
        raise UsageError(f"{where}: a quote is not closed")
    return [*words, current] if is_word else words
