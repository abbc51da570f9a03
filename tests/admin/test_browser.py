"""The admin's pages in a real browser, with real daemons behind them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from demo_project.stage.browser import Browser as Visitor
from tests.services.browser import Browser, Window
from tests.services.mail import MailServer
from tests.services.processes import Process, Processes
from tests.services.waiting import wait_for

pytestmark = [pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore::ResourceWarning")]
BUS, TRAIL, DEAD = (f"admin/eventbridge/{model}/" for model in ("eventbus", "trailstep", "deadletter"))
SERVICES = ("--settings", "consumers.settings")
_WORDS = "const at = document.activeElement; return at.getAttribute('aria-label') || at.innerText || at.name || ''"
PHONE, DESK = (390, 844), (1280, 800)


@pytest.fixture
def window(browser: Browser) -> Iterator[Window]:
    with browser.window() as window:
        window.look(*DESK)
        yield window


@pytest.fixture
def manage(processes: Processes, mail_server: MailServer, tmp_path: Path) -> Callable[..., Process]:
    """Starts `manage.py` of the bookstore, in a place of its own."""
    env = {"BOOKSTORE_STATE": str(tmp_path), "DJANGO_SETTINGS_MODULE": "demo_project.settings", "DEBUG": "1"}
    login = {
        "DJANGO_SUPERUSER_PASSWORD": "demo",
        "DJANGO_SUPERUSER_USERNAME": "demo",
        "DJANGO_SUPERUSER_EMAIL": "a@b.example",
    }

    def manage(*arguments: str) -> Process:
        return processes.start(sys.executable, "demo_project/manage.py", *arguments, env={**env, **login, "TRAIL": "1"})

    return manage


@pytest.fixture
def site(manage: Callable[..., Process]) -> str:
    """The address of the bookstore's site, which runs; somebody called demo may log in."""
    assert manage("migrate", "--verbosity", "0").wait(60) == 0
    assert manage("createsuperuser", "--noinput").wait(30) == 0
    output = manage("serve", "--port", "0").wait_for_output("is ready at")
    return next(word for word in output.split() if word.startswith("http://"))


@pytest.fixture
def daemons(manage: Callable[..., Process], site: str) -> None:
    """The relay and the services, ready."""
    services = manage("eventbridge", "consume", "consumers.email", "consumers.deletion", *SERVICES)
    relay = manage("eventbridge", "relay")
    services.wait_for_output("bookstore.email is ready")
    relay.wait_for_output("relay default is ready")


def log_in(window: Window, site: str) -> None:
    window.driver.get(f"{site}admin/login/")
    window.driver.find_element(By.NAME, "username").send_keys("demo")
    window.driver.find_element(By.NAME, "password").send_keys("demo", Keys.ENTER)
    wait_for(lambda: "Log out" in window.driver.page_source)


def publish_a_book(site: str, title: str) -> None:
    """As a visitor of the bookstore."""
    visitor = Visitor(site)
    visitor.send("/authors/new/", full_name="Ursula K. Le Guin", short_name="Le Guin", email="ursula@example.org")
    author = visitor.choice("/books/new/", "Ursula K. Le Guin")
    book = visitor.send("/books/new/", title=title, author_id=author, content="Once upon a time.")
    visitor.send(f"{book}publish/", page=book)


def see(window: Window, words: str, timeout: float = 30) -> str:
    """Wait until these words are on the page, which nobody loads again; what is seen then."""

    def seen() -> str:
        text = str(window.driver.execute_script("return document.body.innerText"))
        return text if words in text else ""

    return wait_for(seen, timeout, every=0.1, what=f"{words!r} on {window.driver.current_url}")


def click(window: Window, words: str) -> None:
    window.driver.find_element(By.PARTIAL_LINK_TEXT, words).click()


def press(window: Window, words: str) -> None:
    """Press the button with these words by the keyboard."""
    window.driver.find_element(By.XPATH, f"//button[contains(., '{words}')]").send_keys(Keys.ENTER)


@pytest.mark.usefixtures("daemons")
def test_a_dead_letter_is_found_read_and_replayed_and_its_success_is_watched(window, site, mail_server):
    mail_server.refuse("451 the mailbox is full")
    log_in(window, site)
    window.driver.get(site + BUS)
    see(window, "bookstore.email")
    assert "dead" not in see(window, "Event bus")

    publish_a_book(site, "The Telling")
    see(window, "1 dead")  # without another load
    see(window, "failed attempts")
    window.picture("event-bus")
    window.look(*DESK, dark=True)
    window.picture("event-bus-dark")
    window.look(*DESK)
    window.driver.find_element(By.CSS_SELECTOR, "a.eb-chip.eb-bad").click()

    see(window, "1 dead letter")
    click(window, "SMTPDataError")
    story = see(window, "the mailbox is full")
    for words in ("every attempt failed", '"title": "The Telling"', "Traceback (most recent call last)"):
        assert words in story
    window.picture("dead-letter")

    mail_server.accept()
    press(window, "Replay")
    see(window, "Replay 1 dead letter?")
    window.picture("confirmation", tallest=480)
    assert not mail_server.messages
    window.driver.switch_to.active_element.send_keys(Keys.ENTER)  # the button has the focus

    see(window, "marked for replay")
    see(window, "Replayed")
    see(window, "\nhandled")
    assert "Dead letter of" not in see(window, "Replayed")
    assert mail_server.wait_for_messages(1)[0]["Subject"] == "Your book “The Telling” is published"
    window.picture("journey")
    window.driver.get(site + TRAIL)
    see(window, "bookstore.book.published.v1")
    window.picture("event-trail", tallest=560)
    assert "dead replay" in audit_of(window, site)
    assert window.complaints == []


@pytest.mark.usefixtures("daemons")
def test_all_of_it_is_done_with_the_keys_tab_and_enter_while_the_page_changes(window, site, mail_server):
    mail_server.refuse("451 the mailbox is full")
    publish_a_book(site, "The Telling")
    log_in(window, site)
    window.driver.get(site + BUS)
    see(window, "1 dead letter of bookstore.email")

    walk_to(window, "Read them here")
    focused = window.driver.switch_to.active_element
    publish_a_book(site, "Tehanu")
    see(window, "2 dead letters of bookstore.email")
    assert window.driver.switch_to.active_element != focused, "that one was replaced"
    mail_server.accept()
    hit(window, Keys.ENTER)

    walk_to(window, "SMTPDataError")
    hit(window, Keys.ENTER)
    see(window, "the mailbox is full")
    walk_to(window, "Replay")
    hit(window, Keys.ENTER)
    see(window, "Replay 1 dead letter?")
    hit_at_once(window, "Replay", Keys.ENTER)
    see(window, "\nhandled")
    assert mail_server.wait_for_messages(1)
    pause_with_the_keyboard(window, site)
    assert window.complaints == []


def pause_with_the_keyboard(window: Window, site: str) -> None:
    window.driver.get(site + BUS)
    walk_to(window, "Pause the consumer bookstore.email")
    hit(window, Keys.ENTER)
    see(window, "Pause the consumer bookstore.email?")
    hit_at_once(window, "reason", "no mail today", Keys.ENTER)
    see(window, "The consumer bookstore.email is paused.")
    see(window, "The consumer bookstore.email is paused: no mail today")
    walk_to(window, "Resume it")
    hit(window, Keys.ENTER)
    see(window, "It is paused: no mail today")
    hit_at_once(window, "Resume", Keys.ENTER)
    see(window, "The consumer bookstore.email goes on")


def hit(window: Window, *keys: str) -> None:
    ActionChains(window.driver).send_keys(*keys).perform()


def hit_at_once(window: Window, words: str, *keys: str) -> None:
    """What has these words has the focus as soon as the page is there."""
    wait_for(lambda: words in window.driver.execute_script(_WORDS), every=0.05, what=f"the focus on {words!r}")
    hit(window, *keys)


def walk_to(window: Window, words: str) -> None:
    """Tab on, from where the focus is, until it is on what has these words."""
    for _ in range(80):
        hit(window, Keys.TAB)
        if words in window.driver.execute_script(_WORDS):
            return
    raise AssertionError(f"no way leads to {words!r} by Tab")


def audit_of(window: Window, site: str) -> str:
    window.driver.get(f"{site}admin/eventbridge/audit/")
    return see(window, "demo")


@pytest.mark.usefixtures("daemons")
def test_every_page_fits_a_phone_in_the_dark_and_goes_on_by_itself(window, site, mail_server):
    mail_server.refuse()
    publish_a_book(site, "A Wizard of Earthsea and other titles that are long")
    log_in(window, site)
    window.look(*PHONE, dark=True)
    window.driver.get(site + BUS)
    see(window, "failed attempts")
    window.picture("event-bus-phone", tallest=1020)
    window.look(*PHONE)
    window.picture("event-bus-phone-light", tallest=1020)
    window.look(*PHONE, dark=True)
    window.driver.get(site + TRAIL)
    see(window, "bookstore.email dead")
    publish_a_book(site, "Tehanu")
    wait_for(lambda: len(window.driver.find_elements(By.CSS_SELECTOR, ".eb-event")) == 6, 20, every=0.1)

    pages = [site + path for path in (BUS, TRAIL, DEAD, "admin/eventbridge/outboxentry/")]
    window.driver.get(site + DEAD)
    pages += [window.driver.find_element(By.PARTIAL_LINK_TEXT, "SMTPDataError: (451").get_attribute("href")]
    window.driver.get(pages[-1])
    pages += [window.driver.find_element(By.LINK_TEXT, "Its journey").get_attribute("href")]
    for page in pages:
        window.driver.get(page)
        see(window, "Event bus")
        assert window.overflow <= 0, page
    assert window.complaints == []
    a_type_shows_where_it_goes(window, site)


def a_type_shows_where_it_goes(window: Window, site: str) -> None:
    window.look(*DESK)
    window.driver.get(site + BUS)
    card = window.driver.find_element(By.ID, "type-bookstore.book.published.v1")
    window.driver.execute_script("arguments[0].focus()", card)
    chosen = window.driver.find_elements(By.CSS_SELECTOR, ".eb-edges .eb-chosen")
    assert [path.get_attribute("data-to") for path in chosen] == ["bookstore.email"]


def test_a_page_whose_site_is_gone_says_that_it_is_not_live(window, site, manage, processes):
    manage("eventbridge", "consume", "consumers.email", *SERVICES).wait_for_output("bookstore.email is ready")
    publish_a_book(site, "The Dispossessed")
    log_in(window, site)
    window.driver.get(site + BUS)
    see(window, "No relay of database default is running")
    window.driver.find_element(By.ID, "steer-consumer-bookstore.email").click()
    see(window, "Pause the consumer bookstore.email?")
    hit_at_once(window, "reason", "the mail server is moved", Keys.ENTER)
    see(window, "The consumer bookstore.email is paused: the mail server is moved")
    window.picture("event-bus-ill", tallest=900)
    processes.close()
    see(window, "This page is not live: the site does not answer")
