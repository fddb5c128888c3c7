"""An error message of the C library in another language is read as the English one, and no other words are touched."""

import pytest
from triagebook.runbooks.engine.libc_messages import MESSAGES, in_english
from triagebook.runbooks.engine.routes import route_text
from triagebook.runbooks.engine.symptoms import classify

from tests.runbooks import CATALOG

ENOMEM, SEGFAULT = CATALOG.load("enomem"), CATALOG.load("segfault")
EACH = [(english, message) for english, messages in MESSAGES.items() for message in messages]


@pytest.mark.parametrize(("english", "message"), EACH)
def test_each_message_becomes_its_english_one_wherever_it_stands(english: str, message: str) -> None:
    assert in_english(message) == english
    assert (
        in_english(f"web[12]: accept4(): {message} (24)\nweb[12]: ended.") == f"web[12]: accept4(): {english} (24)\nweb[12]: ended."
    )


@pytest.mark.parametrize("english", ["Cannot allocate memory", "Resource temporarily unavailable"])
@pytest.mark.parametrize("program", ["-bash: fork: {}", "pthread_create failed: {}", "mmap: {}", "{}"])
def test_a_refusal_has_one_class_in_every_language(english: str, program: str) -> None:
    classes = {classify(ENOMEM, program.format(message)) for message in MESSAGES[english]}
    assert classes == {classify(ENOMEM, program.format(english))}


@pytest.mark.parametrize(
    ("text", "error_class"),
    [
        ("OSError: [Errno 12] Ne peut allouer de la mémoire", "enomem"),  # andresriancho/w3af#9518
        ("OpenBLAS blas_thread_init: pthread_create failed for thread 76 of 80: 资源暂时不可用", "thread"),  # DaliangNing/iCAMP1#16
        ("fork: 无法分配内存", "fork_enomem"),
    ],
)
def test_reported_texts(text: str, error_class: str) -> None:
    assert classify(ENOMEM, text) == error_class


@pytest.mark.parametrize(
    "text", ["", "Il processo non è stato Ucciso2", "Mortolo", "Speicherzugriffsfehlerbehandlung", "fork: retry"]
)
def test_other_words_stay(text: str) -> None:
    assert in_english(text) == text


@pytest.mark.parametrize(
    "said", ["std::system_error'\n  what():  Resource temporarily unavailable", "std::bad_alloc'\n  what():  std::bad_alloc"]
)
def test_a_refusal_that_ended_its_program_by_an_abort_belongs_to_the_refusal(said: str) -> None:
    routes = route_text((ENOMEM, SEGFAULT), f"terminate called after throwing an instance of '{said}\nAborted (core dumped)")
    assert {name: route.fit for name, route in routes.items()} == {"enomem": "leads", "segfault": "other_matter"}
