"""The parser of the collector's answer: it takes any text, and raises nothing but ParseError."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triagebook.runbooks.engine.errors import ParseError
from triagebook.runbooks.engine.facts import Collection, Unreadable
from triagebook.runbooks.probes import catalog
from triagebook.runbooks.probes.records import Record, Sample, parse_samples

TAG = "0123456789ab"
KINDS = tuple(kind for kind in catalog.kinds() if catalog.is_collected(kind))


def test_records_are_told_from_a_greeting_by_their_tag() -> None:
    text = (
        f"Last login: never\r\ntriagebook/1 {TAG}\r\n{TAG}\t1\thost\tis\thostname=a\r\nYou have mail\n"
        f"ffffffffffff\t1\thost\tis\thostname=forged\n{TAG}\t1\tend\tprinted=1\ttruncated=\n{TAG}\t1\thost\tlate\n"
    )
    (sample,) = parse_samples(text)
    assert sample == Sample(1, (Record("host", ("is", "hostname=a")), Record("end", ("printed=1", "truncated="))), True)
    assert sample.of("host") == (("is", "hostname=a"),)
    assert sample.end == {"printed": "1", "truncated": ""}


def test_a_last_line_that_was_cut_is_no_record() -> None:
    text = f"triagebook/1 {TAG}\n{TAG}\t1\tmeminfo\tis\tMemTotal=4096\n{TAG}\t1\tmeminfo\tis\tMemTotal=40"
    assert parse_samples(text) == (Sample(1, (Record("meminfo", ("is", "MemTotal=4096")),), False),)
    assert parse_samples(f"triagebook/1 {TAG}\n") == (Sample(1, (), False),)
    assert parse_samples(f"triagebook/1 {TAG}\n{TAG}\t1\tend\tprinted=1") == (Sample(1, (), False),)


def test_samples_come_in_their_order() -> None:
    text = f"triagebook/1 {TAG}\n{TAG}\t2\ta\tx\n{TAG}\t1\tend\tx=1\n{TAG}\t2\ta\ty\n"
    assert [(sample.n, len(sample.records), sample.is_complete) for sample in parse_samples(text)] == [
        (1, 1, True),
        (2, 2, False),
    ]


def test_fields_are_escaped_and_capped_here_too() -> None:
    (sample,) = parse_samples(f"triagebook/1 {TAG}\n{TAG}\t1\ta\t\x1b[31m\u202e{'x' * 900}\n")
    (field,) = sample.of("a")[0]
    assert field.startswith("\\x1b[31m\\u202exxx")
    assert len(field) == 512


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bash: fork: retry: Resource temporarily unavailable\n",
        f"triagebook/1 {TAG.upper()}\n",
        f"xtriagebook/1 {TAG}\n",
        f"triagebook/1 {TAG}\n{TAG}\tone\tmeminfo\tis\n",
        f"triagebook/1 {TAG}\n{TAG}\t0\tmeminfo\tis\n",
        f"triagebook/1 {TAG}\n{TAG}\t{'9' * 5000}\tmeminfo\tis\n",
        f"triagebook/1 {TAG}\n{TAG}\t1\n",
        f"triagebook/1 {TAG}\n" + f"{TAG}\t1\ta\n" * 20_001,
    ],
)
def test_what_is_no_answer_of_ours_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError, match=r"^collector: "):
        parse_samples(text)


LINE = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda n, kind, fields: "\t".join([TAG, n, kind, *fields]),
        st.sampled_from(["1", "2", "3", "x", "", "07"]),
        st.sampled_from([*KINDS, "walk", "name", "end", ""]),
        st.lists(
            st.one_of(
                st.sampled_from(
                    ["all", "at", "user", "map", "size", "large", "group", "gone", "is", "are", "?", "max", "as", "/", "/a/b"]
                ),
                st.sampled_from(["tasks=5", "total=5", "total?", "truncated=pids_cgroups", "cut.pids_cgroups=4", "mode=v2"]),
                st.integers(-5, 2**70).map(str),
                st.text(max_size=20),
            ),
            max_size=11,
        ),
    ),
)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(LINE, max_size=25), st.booleans(), st.text(max_size=20))
def test_any_text_is_read_or_refused_and_any_sample_gives_facts(lines: list[str], has_header: bool, rest: str) -> None:
    text = (f"triagebook/1 {TAG}\n" if has_header else "") + "\n".join(lines) + rest
    try:
        samples = parse_samples(text)
    except ParseError:
        return
    for kind in KINDS:
        catalog.load(kind).parse(samples)


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(KINDS), st.booleans())
def test_a_kind_without_records_says_so_in_every_fact(kind: str, is_complete: bool) -> None:
    for samples in ((), (Sample(1, (), is_complete),), (Sample(1, (), True), Sample(2, (), is_complete))):
        for name, value in vars(catalog.load(kind).parse(samples)).items():
            unknown = isinstance(value, Unreadable) or (isinstance(value, Collection) and value.partial != "")
            assert unknown, f"{kind}.{name} is {value!r}"
