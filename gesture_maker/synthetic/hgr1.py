"""A drawn look-alike of HGR1: photos of still hands, and the mask of the skin of each, in its folders and names.

    original_images/0_A_hgr1_id01_1.jpg    skin_masks/0_A_hgr1_id01_1.bmp

The mask is what the renderer hit of hand and bare forearm; a sleeve is no skin. As in the published masks, skin is black.
"""

from __future__ import annotations

import io
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from gesture_maker.errors import ConfigError
from gesture_maker.files import atomic_write, write_bytes
from gesture_maker.images import MIN_SIDE, Pixels
from gesture_maker.synthetic.draw import JPEG_QUALITY
from gesture_maker.synthetic.hand import Pose
from gesture_maker.synthetic.motion_dataset import drawing_pool
from gesture_maker.synthetic.people import OTHER_HAND, draw_person, generator
from gesture_maker.synthetic.poses import POSES, jitter
from gesture_maker.synthetic.render import OPEN_HAND, Camera, develop, draw_light, draw_room, layers_of

IMAGES, MASKS = "original_images", "skin_masks"
ZIPS: Mapping[str, str] = MappingProxyType({IMAGES: "hgr1_images.zip", MASKS: "hgr1_skin.zip"})
"""The published zip of each folder."""

FIRST_PERSON = 4000  # id01; nobody whom the demo trains or tests on

_STRAIGHT, _CURLED = (2.0, 2.0, 5.0, 3.0), (0.0, 84.0, 98.0, 62.0)  # abduction, MCP, PIP, DIP in degrees, as in `POSES`
_HOOKED = (1.0, 12.0, 92.0, 58.0)
_OVER, _OUT = (34.0, 48.0, 4.0, 52.0, 62.0), (62.0, 8.0, 0.0, 0.0, -8.0)


def _away(abduction: float) -> tuple[float, ...]:
    return (abduction, *_STRAIGHT[1:])


def _pose(*fingers: tuple[float, ...], thumb: tuple[float, ...], turn: tuple[float, float, float] = (0, 0, 0)) -> Pose:
    return Pose(np.array(fingers), np.array(thumb), orientation=np.array(turn, np.float64))


GESTURES: Mapping[str, Pose] = MappingProxyType(
    {
        "0_A": _pose((0, 51, 55, 30), (0, 55, 55, 30), (1, 55, 59, 32), (5, 57, 50, 28), thumb=(17, 52, 47, 16, 16),
                     turn=(-35, 0, 0)),
        "1_A": POSES["point"],
        "2_A": _pose(_away(17), _away(-13), _CURLED, _CURLED, thumb=_OVER),
        "3_A": _pose(_away(13), _away(-8), _CURLED, _CURLED, thumb=_OUT),
        "4_A": POSES["four"],
        "5_A": POSES["open_palm"],
        "6_A": _pose(_away(13), _away(1), _away(9), (-4, 66, 58, 16), thumb=(-6, 62, 54, 30, 34)),
        "7_A": _pose(_away(10), _away(2), (-4, 64, 56, 12), _away(16), thumb=(4, 60, 54, 26, 28)),
        "8_A": _pose(_away(15), (-2, 62, 52, 8), _away(10), _away(17), thumb=(11, 56, 52, 18, 22)),
        "9_A": POSES["ok"],
        "A_A": _pose(_CURLED, _CURLED, _CURLED, _CURLED, thumb=(12, 6, 10, 0, -4)),
        "B_A": _pose(_away(-4), _away(0), _away(-4), _away(-9), thumb=(20, 10, 6, 4, 6)),
        "C_A": _pose(*[(0, 34, 48, 26)] * 4, thumb=(22, 58, 40, 8, 14), turn=(-40, 0, 0)),
        "G_A": _pose((0, 50, 20, 6), _CURLED, _CURLED, _CURLED, thumb=(30, 42, 30, 0, 0), turn=(-35, 0, 0)),
        "H_P": POSES["rock"],
        "I_A": _pose(_CURLED, _CURLED, _CURLED, _away(10), thumb=_OVER),
        "L_A": POSES["l_sign"],
        "R_A": _pose((-13, 9, 5, 3), (15, -4, 5, 3), _CURLED, _CURLED, thumb=_OVER),
        "S_A": POSES["fist"],
        "U_A": _pose(_away(-4), _away(0), _CURLED, _CURLED, thumb=_OVER),
        "X_A": _pose(_HOOKED, _CURLED, _CURLED, _CURLED, thumb=_OVER),
        "Y_A": POSES["call"],
        "ILY_S": _pose(_away(9), _CURLED, _CURLED, _away(14), thumb=_OUT),
        "CLAW_S": _pose((15, *_HOOKED[1:]), (2, *_HOOKED[1:]), (10, *_HOOKED[1:]), (18, *_HOOKED[1:]),
                        thumb=(56, 22, 0, 12, 48)),
        "T_S": POSES["thumbs_up"],
    }
)  # fmt: skip
"""The pose of each gesture, by gesture and sign language as in HGR1's names (A American, P Polish, S special signs)."""

MAX_PEOPLE = 99  # two digits, as in `id01`
_SHARE = (0.34, 0.60)  # of the picture's height that an open hand fills
_FIELD_OF_VIEW = (24.0, 44.0)  # degrees, of the crop
_VIEW = {"yaw": 18.0, "pitch": 14.0, "roll": 20.0}  # degrees, at most: nobody holds the hand up for a webcam here
_LAMP = (0.55, 1.15)  # times what `draw_light` gives: HGR1 was taken in no studio


def draw_hgr1(
    folder: Path,
    people: int = 12,
    poses: int = len(GESTURES),
    photos: int = 3,
    *,
    size: int = 320,
    seed: int = 0,
    zips: bool = False,
    skin_is_black: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Draw `original_images` and `skin_masks` of so many people, the first `poses` of `GESTURES` and photos of each into a folder.

    Returns how many photos were drawn now; those whose photo and mask are there already are left. Photos are JPEGs and masks
    BMPs of 8 bits, both of `size` x `size` pixels. With `zips` there are the two published zips in place of the folders, which are
    made anew. `progress` is called with (photos done, total). The same arguments give the same files. Raises ConfigError for
    numbers that cannot be drawn.
    """
    if not (1 <= people <= MAX_PEOPLE and 1 <= poses <= len(GESTURES) and photos >= 1):
        raise ConfigError(
            f"{poses} poses of {people} people with {photos} photos each cannot be drawn: "
            f"give 1 to {len(GESTURES)} poses, 1 to {MAX_PEOPLE} people and a photo at least."
        )
    if size < MIN_SIDE:
        raise ConfigError(f"A drawn image of {size} pixels shows no hand: draw at least {MIN_SIDE}.")
    takes = [
        (gesture, person, number)
        for gesture in list(GESTURES)[:poses]
        for person in range(1, people + 1)
        for number in range(1, photos + 1)
    ]
    there = (
        set()
        if zips
        else {take for take in takes if all((folder / member).exists() for member in _members(hgr1_name(*take)))}
    )
    missing = [take for take in takes if take not in there]
    done = len(there)
    with _zipped(folder) if zips else _loose(folder) as add, drawing_pool(len(missing)) as pool:
        waiting: deque[tuple[str, Future[tuple[bytes, bytes]]]] = deque()
        try:
            for take in missing:
                waiting.append((hgr1_name(*take), pool.submit(_encoded, *take, seed, size, skin_is_black)))
            while waiting:
                name, future = waiting.popleft()
                for member, content in zip(_members(name), future.result(), strict=True):
                    add(member, content)
                done += 1
                if progress:
                    progress(done, len(takes))
        finally:
            for _, future in waiting:
                future.cancel()
    return len(missing)


def hgr1_name(gesture: str, person: int, number: int) -> str:
    """Return the name of a photo and its mask, without the suffix, e.g. `0_A_hgr1_id01_1`."""
    return f"{gesture}_hgr1_id{person:02d}_{number}"


def draw_hgr1_image(
    gesture: str, person: int, number: int, seed: int = 0, size: int = 320
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Return a photo, uint8 [size, size, 3] RGB, and where its skin is, uint8 [size, size]: 255 skin, 0 anything else.

    `person` and `number` begin at 1. The same arguments give the same pixels, whatever was drawn before.
    """
    rng = generator(seed, "hgr1", person, gesture, number)
    who = draw_person(FIRST_PERSON + person - 1, seed)
    pose = jitter(who.styled(GESTURES[gesture]), rng)
    left = who.left_handed != bool(rng.random() < OTHER_HAND)
    yaw, pitch, roll = (float(rng.uniform(-limit, limit)) for limit in _VIEW.values())
    field_of_view = float(rng.uniform(*_FIELD_OF_VIEW))
    distance = float(OPEN_HAND / (2 * rng.uniform(*_SHARE) * np.tan(np.radians(field_of_view / 2))))
    centre = (float(rng.uniform(0.38, 0.62)), float(rng.uniform(0.38, 0.56)))
    light = draw_light(rng)
    light = replace(light, strength=light.strength * float(rng.uniform(*_LAMP)))
    layers = layers_of(who, pose, left, Camera(yaw, pitch, roll, distance, field_of_view, centre), size)
    pixels = develop(draw_room(rng, size), who, layers, light)
    mask = np.zeros((size, size), np.uint8)
    if layers is not None:
        rows, columns = layers.cover.shape
        skin = (layers.cover > 0) & (layers.sleeve < 0.5)
        mask[layers.top : layers.top + rows, layers.left : layers.left + columns][skin] = 255
    return pixels, mask


def _encoded(gesture: str, person: int, number: int, seed: int, size: int, skin_is_black: bool) -> tuple[bytes, bytes]:
    """Return the bytes of a photo and its mask."""
    pixels, mask = draw_hgr1_image(gesture, person, number, seed, size)
    done, jpeg = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert done
    bmp = io.BytesIO()
    Image.fromarray(255 - mask if skin_is_black else mask).save(bmp, "BMP")
    return jpeg.tobytes(), bmp.getvalue()


def _members(name: str) -> tuple[str, str]:
    """Return the paths of a photo and its mask in the set."""
    return f"{IMAGES}/{name}.jpg", f"{MASKS}/{name}.bmp"


@contextmanager
def _loose(folder: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Yield what writes a file of the set into its folder."""

    def add(member: str, content: bytes) -> None:
        write_bytes(folder / member, content)

    yield add


@contextmanager
def _zipped(folder: Path) -> Iterator[Callable[[str, bytes], None]]:
    """Yield what writes a file of the set into its zip; the zips are there when the block ends without an error."""
    with ExitStack() as stack:
        zips = {
            place: stack.enter_context(zipfile.ZipFile(stack.enter_context(atomic_write(folder / name)), "w"))
            for place, name in ZIPS.items()
        }

        def add(member: str, content: bytes) -> None:
            place = member.partition("/")[0]
            packing = zipfile.ZIP_STORED if place == IMAGES else zipfile.ZIP_DEFLATED  # JPEGs do not become smaller
            zips[place].writestr(zipfile.ZipInfo(member), content, packing)

        yield add
