"""One model of every kind whose signals behave in their own way."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A custom user, known by the email address."""

    email = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.email


class Stamped(models.Model):
    """An abstract parent: its children are senders of their own, it is none."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Tag(models.Model):
    name = models.CharField(max_length=50, unique=True)

    def __str__(self) -> str:
        return self.name


class Product(Stamped):
    """The parent table of Bundle; tags are many-to-many."""

    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    stock = models.IntegerField(default=0)
    tags = models.ManyToManyField(Tag, blank=True, related_name="products")

    def __str__(self) -> str:
        return self.name


class Bundle(Product):
    """A child with a table of its own: saving one writes two rows."""

    contents = models.ManyToManyField(Product, blank=True, related_name="bundles")
    discount = models.PositiveSmallIntegerField(default=0)


class Clearance(Product):
    """A proxy: the same rows, another sender."""

    class Meta:
        proxy = True


class Order(Stamped):
    """Known by a UUID; its lines go with it, its customer may not be deleted before it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="orders")
    paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        return str(self.id)


class OrderLine(models.Model):
    """Deleted by cascade with its order, left without a product when that is deleted."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.SET_NULL, null=True, related_name="lines")
    quantity = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product}"


class Note(models.Model):
    """One text column and nothing else: for whatever a handler wants to leave behind."""

    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.text
