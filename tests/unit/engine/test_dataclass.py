"""The cheap dataclass against the standard library's: what one does the other does."""

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from triagebook.runbooks.engine import dataclass as cheap

Decorator = Callable[..., Any]
BOTH = pytest.mark.parametrize("dataclass", [cheap.dataclass, dataclasses.dataclass], ids=["ours", "standard"])


def _frozen(dataclass: Decorator) -> Any:
    @dataclass(frozen=True)
    class Base:
        """A value."""

        KIND: ClassVar[str] = "base"
        a: int
        b: str = "x"

    @dataclass(frozen=True)
    class Value(Base):
        """A value with more."""

        many: dict[str, int] = dataclasses.field(default_factory=dict)
        hidden: str = dataclasses.field(default="secret", repr=False)
        beside: int = dataclasses.field(default=0, compare=False)

    return Value


def _mutable(dataclass: Decorator) -> Any:
    @dataclass
    class Counter:
        """A count."""

        start: int
        now: int = 0
        seen: list[int] = dataclasses.field(default_factory=list)

        def __post_init__(self) -> None:
            self.now += self.start

    return Counter


@cheap.dataclass(frozen=True)
class Kept:
    """One that pickle can find."""

    a: int
    b: tuple[int, ...] = ()


@BOTH
def test_it_is_made_as_its_fields_say(dataclass: Decorator) -> None:
    made = _frozen(dataclass)(1, many={"n": 2})
    assert (made.a, made.b, made.many, made.hidden, made.beside) == (1, "x", {"n": 2}, "secret", 0)
    assert _frozen(dataclass)(1).many is not _frozen(dataclass)(1).many
    assert [field.name for field in dataclasses.fields(made)] == ["a", "b", "many", "hidden", "beside"]


@BOTH
@pytest.mark.parametrize(("given", "named"), [((), {}), ((1, "x", {}, "h", 0, 7), {}), ((1,), {"other": 2}), ((1,), {"a": 1})])
def test_it_refuses_what_it_has_no_field_for(dataclass: Decorator, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="__init__"):
        _frozen(dataclass)(*given, **named)


@BOTH
def test_a_field_may_have_any_name(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Odd:
        values: int
        missing: int = 2
        default_values: list[int] = dataclasses.field(default_factory=list)

    made = Odd(1)
    assert (made.values, made.missing, made.default_values) == (1, 2, [])


@BOTH
def test_it_shows_what_is_to_be_shown(dataclass: Decorator) -> None:
    assert repr(_frozen(dataclass)(1)).endswith("Value(a=1, b='x', many={}, beside=0)")


@BOTH
def test_it_is_equal_by_what_is_compared_and_within_its_class(dataclass: Decorator) -> None:
    value = _frozen(dataclass)
    assert value(1, beside=1) == value(1, beside=2)
    assert value(1) != value(2)
    assert value(1, many={"n": 1}) != value(1)
    assert _mutable(dataclass)(1) != value(1)


@BOTH
def test_a_frozen_one_is_a_key_and_another_is_not(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Key:
        a: int
        beside: int = dataclasses.field(default=0, compare=False)

    assert hash(Key(1, 5)) == hash(Key(1, 6))
    assert {Key(1): "found"}[Key(1)] == "found"
    with pytest.raises(TypeError, match="unhashable"):
        hash(_mutable(dataclass)(1))


@BOTH
def test_a_frozen_one_stays_as_it_is(dataclass: Decorator) -> None:
    made = _frozen(dataclass)(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'a'"):
        made.a = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
        del made.a
    assert dataclasses.replace(made, b="y") == _frozen_twin(made, b="y")


def _frozen_twin(made: Any, **values: Any) -> Any:
    return type(made)(**{**{field.name: getattr(made, field.name) for field in dataclasses.fields(made)}, **values})


@BOTH
def test_what_can_change_does_after_what_follows_its_making(dataclass: Decorator) -> None:
    counter = _mutable(dataclass)(3)
    assert counter.now == 3
    counter.now += 1
    assert dataclasses.asdict(counter) == {"start": 3, "now": 4, "seen": []}


@BOTH
def test_what_a_class_defines_itself_stays(dataclass: Decorator) -> None:
    @dataclass(frozen=True)
    class Secret:
        word: str

        def __repr__(self) -> str:
            return "***"

    assert repr(Secret("x")) == "***"


def test_it_goes_through_pickle_and_copy() -> None:
    made = Kept(1, (2,))
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes
    assert copy.copy(made) == made
    assert dataclasses.is_dataclass(made)
