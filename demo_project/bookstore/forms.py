"""What people may type about authors and books, and what is said beside a field that does not fit."""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import slugify

from .models import Author, Book


class AuthorForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """An author: both names, and an email address if they want to hear from us."""

    class Meta:
        model = Author
        fields = ("full_name", "short_name", "email")
        help_texts: ClassVar = {
            "short_name": "As it stands in lists, such as “Le Guin”.",
            "email": "Where we write when a book of theirs is published. May stay empty.",
        }


class BookForm(forms.ModelForm):  # type: ignore[type-arg]
    """A book: its status is changed by publishing, not here."""

    slug = forms.SlugField(
        required=False,
        max_length=200,
        allow_unicode=True,
        help_text="The last part of the address. Leave it empty to make one from the title.",
    )
    author_id = forms.ModelChoiceField(Author.objects.all(), label="Author", required=False, empty_label="No author")

    class Meta:
        model = Book
        fields = ("title", "slug", "author_id", "content")
        widgets: ClassVar = {"content": forms.Textarea(attrs={"rows": 8})}

    def clean_slug(self) -> str:
        """What was typed, or the title's own words; a message where nothing is left of them."""
        slug = self.cleaned_data["slug"] or slugify(self.data.get("title", ""), allow_unicode=True)[:200]
        if not slug and self.cleaned_data.get("title"):
            raise ValidationError("No slug can be made from this title. Please write one.")
        return str(slug)

    def clean_author_id(self) -> Any:
        """The author's number: a book keeps no foreign key."""
        author = self.cleaned_data["author_id"]
        return author.pk if author else None
