"""The story's scenes, played as a person with a browser would."""

import re
from typing import Any

from .company import Company
from .programs import MissingError
from .voice import point, scene, way

PATIENCE = 20.0  # seconds for what takes milliseconds on an idle machine


class Scenes:
    """The scenes, in order. Each waits for what it tells, and raises MissingError if it does not come."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.browser = company.browser

    def play(self) -> None:
        """All of it."""
        if self.company.broker_is_shared:
            self.clear_the_queue()
        scene("1  An author and two books")
        author = self.write_author("Ursula K. Le Guin", "Le Guin", "ursula@example.org")
        first, second = self.write_book("The Dispossessed", author), self.write_book("The Telling", author)
        self.mail_arrives(first)
        self.mail_server_fails_once(second)
        third = self.write_book("Tehanu", author)
        self.mail_server_stays_down(third)
        self.author_goes(author, [first, second, third])
        self.change_is_rolled_back()

    def clear_the_queue(self) -> None:
        """An author comes and goes: what an earlier run has left before that in the queue cannot hurt this one."""
        author = self.write_author("Nobody", "Nobody", "")
        self.browser.send(f"/authors/{author}/delete/")
        self.company.until("author.deleted", author, "handled", self.company.deletion, PATIENCE)

    def write_author(self, full_name: str, short_name: str, email: str) -> str:
        """A new author, by the form; their number."""
        self.browser.send("/authors/new/", full_name=full_name, short_name=short_name, email=email)
        return self.browser.choice("/books/new/", full_name)

    def write_book(self, title: str, author: str) -> str:
        """A new book, by the form; its number. Its event is relayed, though nobody here listens to it."""
        page = self.browser.send("/books/new/", title=title, author_id=author, content="Once upon a time.")
        book = page.strip("/").split("/")[-1]
        self.tell("book.saved", book, "relayed")
        return book

    def mail_arrives(self, book: str) -> None:
        """A book is published, and its author reads it in a mail."""
        scene("2  A book is published: its author gets a mail")
        self.publish(book)
        self.see_mail("The Dispossessed", self.tell("book.published", book, "handled"))

    def mail_server_fails_once(self, book: str) -> None:
        """The first attempt fails, the second one does not."""
        scene("3  The mail server fails once: the retry delivers")
        self.company.mail_server.turn_away(times=1)
        self.publish(book)
        told = self.tell("book.published", book, "handled")
        if all(stop["what"] != "retried" for stop in told["stops"]):
            raise MissingError("the first attempt fails", self.company.email)
        self.see_mail("The Telling", told)

    def mail_server_stays_down(self, book: str) -> None:
        """Every attempt fails; the dead letter waits until the mail server is back, and is replayed."""
        scene("4  The mail server stays down: a dead letter, which is replayed later")
        self.company.mail_server.turn_away()
        self.publish(book)
        dead = self.company.until("book.published", book, "dead", self.company.email, PATIENCE + 3)
        self.company.mail_server.welcome()
        number = self.dead_letter(dead["id"])
        self.company.programs.run("replay", "eventbridge", "dead", "replay", str(number))
        told = self.tell("book.published", book, "handled")
        point(f"dead letter {number} was replayed: manage.py eventbridge dead replay {number}")
        self.see_mail("Tehanu", told)

    def author_goes(self, author: str, books: list[str]) -> None:
        """The site deletes the author; the deletion service deletes the books, each of which is an event again."""
        scene("5  The author is deleted: the books go")
        self.browser.send(f"/authors/{author}/delete/")
        self.tell("author.deleted", author, "handled")
        for book in books:
            self.tell("book.deleted", book, "relayed")
        if "No books yet" not in self.browser.see("/books/"):
            raise MissingError("the author's books are deleted", self.company.deletion)
        point("the site lists no books any more")

    def change_is_rolled_back(self) -> None:
        """A publication fails at the end of its transaction: an event recorded later is relayed, this one never was."""
        scene("6  A publication is rolled back: nothing is sent")
        author = self.write_author("Stanisław Lem", "Lem", "lem@example.org")
        book = self.write_book("Solaris", author)
        self.browser.send(f"/books/{book}/publish-and-fail/", page=f"/books/{book}/")
        self.write_book("Fiasco", author)
        if self.company.way("book.published", book) or "Solaris" in self.browser.see("/mail/"):
            raise MissingError("a change that was rolled back sends nothing", self.company.relay)
        if "Drafted" not in self.browser.see(f"/books/{book}/"):
            raise MissingError("a change that was rolled back is not kept", self.company.site)
        point("“Solaris” is still a draft, no event was recorded, no mail was sent")

    def publish(self, book: str) -> None:
        """Press the button on the book's page."""
        self.browser.send(f"/books/{book}/publish/", page=f"/books/{book}/")

    def tell(self, event: str, subject: str, what: str) -> dict[str, Any]:
        """Wait until an event has made that step, and tell its way."""
        company = self.company
        service = company.deletion if event == "author.deleted" else company.email
        found = company.until(event, subject, what, company.relay if what == "relayed" else service, PATIENCE)
        way(found)
        return found

    def dead_letter(self, event_id: str) -> int:
        """The number of an event's dead letter, as the site shows it."""
        letters = self.browser.read("/events.json")["dead"]
        found = next((int(letter["number"]) for letter in letters if letter["id"] == event_id), None)
        if found is None:
            raise MissingError(f"the dead letter of event {event_id}", self.company.email)
        return found

    def see_mail(self, title: str, told: dict[str, Any]) -> None:
        """Open the mail of that event, as a person would find it on the site: it must be about that book."""
        links = re.findall(r"/mail/\w{16}/", self.browser.see("/mail/"))
        pages = (page for link in links if told["id"] in (page := self.browser.see(link)))
        page = next(pages, "")
        if title not in page or "ursula@example.org" not in page:
            raise MissingError(f"the mail about “{title}”", self.company.email)
        point(f"the mail about “{title}” is there, to ursula@example.org")
