"""Sentences: the sandbox holds, unreadable facts say so, output is bounded."""

import pytest
from triagebook.runbooks.engine import template
from triagebook.runbooks.engine.errors import RunbookError
from triagebook.runbooks.engine.facts import Unreadable


def test_a_sentence_shows_facts_with_units_and_unknown_ones_as_unknown() -> None:
    facts = {"mem": {"free": 1536, "swap": Unreadable("not printed")}}
    assert template.render("{{ mem.free | bytes }} free, swap {{ mem.swap | bytes }}", facts) == "1.5 KiB free, swap unknown"
    assert template.render("{% if mem.swap %}swap{% else %}none{% endif %}", facts) == "none"


def test_two_figures_that_were_not_read_are_one_unknown_amount() -> None:
    facts = {"mem": Unreadable("not printed")}
    assert template.render("{{ mem.free | bytes }} of {{ mem.all | bytes }} memory", facts) == "an unknown amount of memory"


def test_a_room_below_zero_is_what_is_beyond_the_limit() -> None:
    facts = {"mem": {"room": -6081741}}
    assert template.render("{{ mem.room | bytes }} are left", facts) == "0 B (5.8 MiB too many) are left"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ mem.__init__ }}",
        "{% for x in range(10) %}{{ x }}{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ mem.free() }}",
        "{% set a = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% import 'x' as y %}",
        "{{ mem['free'] }}",
        "{{ mem.free | attr('__class__') }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ mem.free",
    ],
)
def test_what_a_sentence_does_not_need_is_refused_at_load(text: str) -> None:
    with pytest.raises(RunbookError):
        template.check(text)


def test_the_names_a_template_uses_are_known_at_load() -> None:
    assert set(template.check("{{ it.unit or it.path }} {% if mem.free > 3 %}{{ a }}{% endif %}")) == {
        "it.unit",
        "it.path",
        "mem.free",
        "a",
    }


def test_an_undefined_name_is_an_error_not_an_empty_text() -> None:
    with pytest.raises(RunbookError, match="nothing"):
        template.render("{{ nothing }}", {})


def test_a_long_name_of_a_host_is_cut_and_costs_no_answer() -> None:
    said = template.render("{{ a }}{{ a }}", {"a": "x" * 1500})
    assert (len(said), said[-2:]) == (template.MAX_OUTPUT, "x…")
