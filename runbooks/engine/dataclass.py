"""Gives the standard library's `dataclass` at a third of its price: a diagnosis makes a hundred such classes before it begins.

The standard library writes and compiles the source of up to six methods for each frozen class, 28 % of the instructions
of a whole diagnosis over SSH. Here only `__init__` is compiled; the others are closures. `fields`, `replace`, `asdict`
and `is_dataclass` know these classes, and to type checkers it is the standard library's.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import MISSING, FrozenInstanceError
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - given on from here
else:

    def dataclass(cls: type | None = None, /, *, frozen: bool = False) -> Any:
        """Make a dataclass as `dataclasses.dataclass` does, with the one parameter that is used here."""
        return _make(cls, frozen) if cls is not None else lambda decorated: _make(decorated, frozen)


_Class = TypeVar("_Class", bound=type)


def _make(cls: _Class, is_frozen: bool) -> _Class:
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    fields = dataclasses.fields(cls)
    compared = [field.name for field in fields if field.compare]
    methods = [_init(fields, is_frozen, hasattr(cls, "__post_init__")), _eq(compared), _repr(fields)]
    if is_frozen:
        methods += [_hash(compared), __setattr__, __delattr__]
    elif "__hash__" not in vars(cls):
        cls.__hash__ = None  # type: ignore[assignment] # what can change is no key
    for method in methods:
        if method.__name__ not in vars(cls):  # what the class defines itself stays
            setattr(cls, method.__name__, method)
    return cls


def _init(fields: Sequence["dataclasses.Field[Any]"], is_frozen: bool, has_post_init: bool) -> Callable[..., None]:
    """Compile `__init__`. Only names of fields are written into its source, defaults go beside it. No field begins with `__`."""
    given: dict[str, object] = {"__missing": MISSING}
    parameters, lines = ["self"], ["__values = self.__dict__"] if is_frozen else []
    for field in fields:
        name = value = field.name
        if field.default is not MISSING:
            given[f"__default_{name}"] = field.default
            parameters.append(f"{name}=__default_{name}")
        elif field.default_factory is not MISSING:
            given[f"__factory_{name}"] = field.default_factory
            parameters.append(f"{name}=__missing")
            value = f"__factory_{name}() if {name} is __missing else {name}"
        else:
            parameters.append(name)
        lines.append(f"__values[{name!r}] = {value}" if is_frozen else f"self.{name} = {value}")
    lines.append("self.__post_init__()" if has_post_init else "pass")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), given)  # noqa: S102 - see above
    return cast("Callable[..., None]", given["__init__"])


def _eq(names: Sequence[str]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        if other.__class__ is not self.__class__:
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in names)

    return __eq__


def _hash(names: Sequence[str]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(tuple([getattr(self, name) for name in names]))

    return __hash__


def _repr(fields: Sequence["dataclasses.Field[Any]"]) -> Callable[[Any], str]:
    names = [field.name for field in fields if field.repr]

    def __repr__(self: Any) -> str:  # noqa: N807
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def __setattr__(self: object, name: str, _value: object) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: object, name: str) -> None:  # noqa: N807
    raise FrozenInstanceError(f"cannot delete field {name!r}")
