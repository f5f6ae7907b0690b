"""The table of contents of an EPUB: the navigation document (EPUB 3) or the NCX (EPUB 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voice.script.archive import resolve
from voice.script.characters import clean
from voice.script.xml import Element, attribute, children, descendants, local, text_of

MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class NavPoint:
    """One entry: a title, where it leads, and how deep it stands (1 is the top)."""

    title: str
    path: str
    fragment: str
    depth: int


@dataclass(frozen=True, slots=True)
class Navigation:
    """The table of contents and the landmarks.

    Attributes
    ----------
    landmarks
        Member path (without fragment) -> ``epub:type``, for whole files.
    """

    points: tuple[NavPoint, ...]
    landmarks: dict[str, str]


def read_nav(root: Element, path: str) -> Navigation:
    """Read an EPUB 3 navigation document found at `path`."""
    points: tuple[NavPoint, ...] = ()
    landmarks: dict[str, str] = {}
    for nav in descendants(root, "nav"):
        types = attribute(nav, "epub:type").split()
        if "toc" in types and not points:
            points = tuple(_list_points(nav, path))
        elif "landmarks" in types:
            for link in descendants(nav, "a"):
                target, fragment = resolve(path, attribute(link, "href"))
                if target and not fragment:
                    landmarks.setdefault(target, attribute(link, "epub:type"))
    return Navigation(points, landmarks)


def _list_points(nav: Element, path: str) -> Iterator[NavPoint]:
    pending = [(item, 1) for outer in children(nav, "ol") for item in children(outer, "li")]
    pending.reverse()
    while pending:
        item, depth = pending.pop()
        for child in item:
            if local(child) == "a":
                target, fragment = resolve(path, attribute(child, "href"))
                title = clean(text_of(child)).strip()
                if target:
                    yield NavPoint(title, target, fragment, depth)
                break
        if depth < MAX_DEPTH:
            inner = [
                (below, depth + 1) for ol in children(item, "ol") for below in children(ol, "li")
            ]
            pending.extend(reversed(inner))


def read_ncx(root: Element, path: str) -> Navigation:
    """Read an NCX file found at `path`."""
    points: list[NavPoint] = []
    navmap = next(descendants(root, "navmap"), None)
    if navmap is None:
        return Navigation((), {})
    pending = [(point, 1) for point in children(navmap, "navpoint")]
    pending.reverse()
    while pending:
        point, depth = pending.pop()
        label = next(children(point, "navlabel"), None)
        content = next(children(point, "content"), None)
        if content is not None:
            target, fragment = resolve(path, attribute(content, "src"))
            title = clean(text_of(label)).strip() if label is not None else ""
            if target:
                points.append(NavPoint(title, target, fragment, depth))
        if depth < MAX_DEPTH:
            inner = [(below, depth + 1) for below in children(point, "navpoint")]
            pending.extend(reversed(inner))
    return Navigation(tuple(points), {})


def read_guide(package: Element, path: str) -> dict[str, str]:
    """Return the guide of an EPUB 2 package: member path -> type, for whole files."""
    guide = next(children(package, "guide"), None)
    found: dict[str, str] = {}
    if guide is None:
        return found
    for reference in children(guide, "reference"):
        target, fragment = resolve(path, attribute(reference, "href"))
        if target and not fragment:
            found.setdefault(target, attribute(reference, "type").lower())
    return found
