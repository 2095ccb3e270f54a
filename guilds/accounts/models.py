"""Who may act: people of the platform, people of a guild, and machines."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication

from guilds.accounts.enums import GuildRole, Role, Scope
from guilds.registry.models import Guild, Market


class UserAccounts(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an account; without a password it cannot sign in until a one-time link sets one."""
        user = self.model(email=self.normalize_email(email), **fields)
        if password is None:
            user.set_unusable_password()
        else:
            user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(
            email,
            password,
            is_staff=True,
            is_superuser=True,
            all_markets=True,
            **fields,
        )

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by e-mail. Staff carry roles and markets; people of guilds carry `GuildUser` rows; never both."""

    email = models.EmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name shown to colleagues"), max_length=150, blank=True)
    language = models.CharField(
        max_length=20,
        blank=True,
        help_text=_("BCP 47; empty follows the browser or market."),
    )
    timezone = models.CharField(
        max_length=64, blank=True, help_text=_("IANA name; empty follows the market.")
    )
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    markets = models.ManyToManyField(Market, blank=True, related_name="staff")
    all_markets = models.BooleanField(_("every market"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserAccounts] = UserAccounts()

    ledger_type = "user"

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="one_account_per_email",
                violation_error_message=_("There is already an account with this e-mail address."),
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def public_id(self) -> str:
        return str(self.pk)

    def get_full_name(self) -> str:
        """What the console shows beside the e-mail address."""
        return self.name


class StaffRole(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="staff_roles")
    role = models.CharField(max_length=20, choices=Role)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_row_per_staff_role")]

    def __str__(self) -> str:
        return self.get_role_display()


class GuildUser(models.Model):
    """A person's seat in a guild's portal. One person may sit in several guilds."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="guild_seats")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="users")
    role = models.CharField(max_length=20, choices=GuildRole, default=GuildRole.VIEWER)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "guild"], name="one_seat_per_user_and_guild")]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class Client(AbstractApplication):
    """A machine: an OAuth 2 client limited to scopes, to markets, or to one guild."""

    allowed_scopes = ArrayField(models.CharField(max_length=40, choices=Scope), default=list)
    markets = models.ManyToManyField(Market, blank=True, related_name="clients")
    guild = models.ForeignKey(Guild, null=True, blank=True, on_delete=models.PROTECT, related_name="clients")

    ledger_type = "client"

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"
        constraints = [
            models.CheckConstraint(
                condition=Q(authorization_grant_type=AbstractApplication.GRANT_CLIENT_CREDENTIALS),
                name="client_credentials_only",
            )
        ]

    def __str__(self) -> str:
        return str(self.name or self.client_id)

    @property
    def public_id(self) -> str:
        return str(self.client_id)


class IdempotentAnswer(models.Model):
    """The stored answer to a creating POST, so that a client may repeat it safely for a day.

    Scoped to the client: nobody is ever served somebody else's answer. `fingerprint` is the SHA-256 of method, path and body.
    """

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="idempotent_answers")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(
        null=True, help_text=_("Empty while the first request is at work.")
    )
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["client", "key"], name="one_answer_per_idempotency_key")
        ]

    def __str__(self) -> str:
        return self.key
