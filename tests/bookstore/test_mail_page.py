"""The mail page, on files as Django writes them and as a mail server keeps them."""

from django.core.mail import EmailMultiAlternatives

from demo_project import environment
from demo_project.bookstore import mailbox


def letter(subject="Good news: “really”", to="Ursula K. Le Guin <ursula@example.org>"):
    message = EmailMultiAlternatives(subject, "Dear Ursula,\nit is out.\n", "shop@example.org", [to])
    message.attach_alternative("<p>It is <b>out</b>.</p><script>alert(1)</script>", "text/html")
    return message


def keep(settings, name, *messages):
    settings.BOOKSTORE_MAIL.mkdir(exist_ok=True)
    for number, message in enumerate(messages):
        (settings.BOOKSTORE_MAIL / f"{name}{number}.eml").write_bytes(message.message().as_bytes())


def test_mail_that_a_server_kept_is_listed_and_opened(client, settings):
    keep(settings, "a", letter())

    listed = client.get("/mail/").content.decode()
    opened = client.get(f"/mail/{mailbox.newest_first()[0].name}/").content.decode()

    assert "Good news: “really”" in listed
    assert "ursula@example.org" in opened
    assert "it is out." in opened


def test_the_html_part_is_shown_in_a_frame_that_may_run_nothing(client, settings):
    keep(settings, "a", letter())

    opened = client.get(f"/mail/{mailbox.newest_first()[0].name}/").content.decode()

    assert '<iframe class="card" sandbox title=' in opened
    assert "<script>alert" not in opened
    assert "&lt;script&gt;alert(1)" in opened


def test_several_messages_in_one_file_of_django_are_several_mails(settings):
    settings.BOOKSTORE_MAIL.mkdir()
    separator = b"\n" + b"-" * 79 + b"\n"
    both = [letter("First").message().as_bytes(), letter("Second").message().as_bytes()]
    (settings.BOOKSTORE_MAIL / "x.log").write_bytes(b"".join(one + separator for one in both))

    assert sorted(mail.subject for mail in mailbox.newest_first()) == ["First", "Second"]


def test_mail_goes_to_files_where_no_server_is_configured(settings, monkeypatch):
    monkeypatch.delenv("EMAIL_URL", raising=False)
    monkeypatch.delenv("EMAIL_HOST", raising=False)
    for name, value in environment.mail(settings.BOOKSTORE_MAIL).items():
        setattr(settings, name, value)

    letter().send()

    assert [mail.subject for mail in mailbox.newest_first()] == ["Good news: “really”"]


def test_a_file_that_is_no_mail_does_no_harm(client, settings):
    settings.BOOKSTORE_MAIL.mkdir()
    (settings.BOOKSTORE_MAIL / "x.eml").write_bytes(b"\xff\xfe nonsense\n\n\x00")

    assert "(no subject)" in client.get("/mail/").content.decode()
