"""Classes that the type stubs declare generic and Django does not: `Paginator[Row]` must also run."""

from __future__ import annotations

from typing import Any


def make_subscriptable() -> None:
    """Give them `__class_getitem__`, which returns the class itself. Called before the admins are loaded."""
    from django.contrib.admin.options import BaseModelAdmin
    from django.core.paginator import Paginator
    from django.forms.models import BaseModelForm, BaseModelFormSet, ModelChoiceField
    from django.views.generic.detail import SingleObjectMixin
    from django.views.generic.edit import FormMixin
    from django.views.generic.list import MultipleObjectMixin

    generic: tuple[type[Any], ...] = (
        BaseModelAdmin,
        BaseModelForm,
        BaseModelFormSet,
        FormMixin,
        ModelChoiceField,
        MultipleObjectMixin,
        Paginator,
        SingleObjectMixin,
    )
    for cls in generic:
        if not hasattr(cls, "__class_getitem__"):
            cls.__class_getitem__ = classmethod(lambda cls, *_arguments: cls)
