"""Brain MRI: grey-matter volumes of patients and controls, simulated, or read from a BIDS folder of the user's.

The anatomy is real: the MNI152 grey- and white-matter maps that ship in nilearn, a group average of 152 people
(Fonov 2011, NeuroImage 54:313). Everything that differs between people is simulated.
What the simulation takes from the literature:
  [S] Shi 2009, Hippocampus 19:1055 (meta-analysis): hippocampi are 11 to 13 % smaller in mild cognitive impairment,
      23 to 24 % in Alzheimer's disease, where the effect size is 1.5 to 1.6.
  [F] Fraser 2015, NeuroImage 112:364 (meta-analysis): healthy hippocampi shrink by 0.85 % a year.
  [T] Tzourio-Mazoyer 2002, NeuroImage 15:273 (AAL): where the hippocampi are in MNI space.
  [Z] Seitzman 2020, NeuroImage 206:116290: 300 regions with anatomical names, for saying what a model relies on.
Every constant without a letter is an assumption. What a model finds here is what was put in; it is no evidence about
the disease.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from arrays import Floats, Mask, Voxels
from nilearn.datasets import fetch_coords_seitzman_2018, load_mni152_gm_template, load_mni152_wm_template
from nilearn.image import resample_to_img, smooth_img
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from cohorts import Cohort

RESOLUTION_MM = 6  # coarse, so that 400 volumes take seconds; the effect simulated here is wider
SMOOTHING_MM = 8.0  # full width at half maximum: the usual kernel of voxel-based morphometry (Ashburner 2000)

PEOPLE = 400  # half of them patients
AGE_YEARS = (70.0, 7.0)  # in both groups: age cannot tell them apart
HIPPOCAMPI_MM = ((-25.0, -21.0, -10.0), (29.0, -20.0, -10.0))  # [T]
HIPPOCAMPUS_WIDTH_MM = 9.0  # standard deviation of the blob in which grey matter is lost
HIPPOCAMPUS_LOST = 0.28  # of grey matter at its centre, mean of the patients: 17 % within 12 mm [S]
HIPPOCAMPUS_LOST_A_YEAR = 0.0085  # [F]
HIPPOCAMPUS_SPREAD = 0.14  # between people of one group and age: with it the effect size is about 1.6 [S]
SEVERITY_SPREAD = 0.4  # of its logarithm: some patients have hardly any atrophy
CORTEX_LOST, CORTEX_LOST_A_YEAR, CORTEX_SPREAD = 0.04, 0.003, 0.03
VENTRICLES_MM = ((-14.0, -12.0, 20.0), (14.0, -12.0, 20.0))  # their bodies, read off the template
VENTRICLE_WIDTH_MM = 16.0
VENTRICLE_GROWTH, VENTRICLE_GROWTH_A_YEAR, VENTRICLE_SPREAD = 0.06, 0.006, 0.08  # of their width
DEFORMATION_MM = 2.0  # of the random smooth deformation
DEFORMATION_NODES = (5, 6, 5)
BIAS, BIAS_NODES = 0.06, (3, 3, 3)  # what is left of the receive coil's field after segmentation
NOISE = 0.06  # of the grey-matter fraction, after segmentation

GREY_MAPS = ("*space-MNI*label-GM_probseg.nii*", "mwp1*.nii*")  # fMRIPrep, CAT12: grey matter in MNI space
HEADS = ("*space-MNI*_T1w.nii*", "*_T1w.nii*")  # taken as they are, see the limits in `load`
GROUP_COLUMNS = ("group", "diagnosis", "dx")
CONTROLS = {"control", "controls", "ctrl", "con", "hc", "cn", "nc", "healthy", "healthy control", "0"}
REGIONS = {
    "cortexL": "left cortex",
    "cortexR": "right cortex",
    "cortexMid": "anterior cingulate",
    "basalGanglia": "basal ganglia",
}
LIMITS = {
    GREY_MAPS[0]: (),
    GREY_MAPS[1]: (),
    HEADS[0]: ("Intensities of T1-weighted volumes, not segmented grey matter: contrast differs between scanners.",),
    HEADS[1]: (
        "Intensities of T1-weighted volumes that nobody brought to a common space, as far as their names tell.",
        "So a voxel is not the same place in everybody: normalise and segment them (fMRIPrep, CAT12) first.",
    ),
    "any": (
        f"Volumes are analysed at {RESOLUTION_MM} mm: what is much smaller than a hippocampus is lost.",
        "Groups that differ in age, sex or scanner can be told apart by these alone.",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The MNI152 maps at the working resolution; values are tissue fractions from 0 to 1."""

    grey: Voxels
    white: Voxels
    affine: Floats

    @cached_property
    def brain(self) -> Mask:
        """Voxels that are mostly tissue."""
        return self.grey + self.white > 0.3

    @cached_property
    def analysed(self) -> Mask:
        """Voxels whose grey matter is analysed."""
        return self.brain & (self.grey > 0.3)

    def place_mm(self, where: Mask) -> Floats:
        """Return the MNI coordinates of these voxels, voxels x 3."""
        place: Floats = nibabel.affines.apply_affine(self.affine, np.argwhere(where))
        return place


def anatomy() -> Anatomy:
    """Load the templates that ship in nilearn and average them in cubes of the working resolution."""
    fine = [load(resolution=1) for load in (load_mni152_gm_template, load_mni152_wm_template)]
    grey, white = (_cubes(image.get_fdata(dtype=np.float32)) for image in fine)
    affine = fine[0].affine @ np.diag([RESOLUTION_MM] * 3 + [1])
    affine[:3, 3] += (RESOLUTION_MM - 1) / 2  # a cube's centre is not its first voxel's
    return Anatomy(grey=grey, white=white, affine=affine)


def _cubes(fine: Voxels) -> Voxels:
    padded = np.pad(fine, [(0, -size % RESOLUTION_MM) for size in fine.shape])
    cubes = padded.reshape([part for size in padded.shape for part in (size // RESOLUTION_MM, RESOLUTION_MM)])
    means: Voxels = cubes.mean(axis=(1, 3, 5))
    return means


def simulate(path: Path, seed: int) -> None:
    """Write the simulated people as a BIDS folder: participants.tsv and one skull-stripped volume each."""
    random = np.random.default_rng(seed)
    people = _people(random)
    template = anatomy()
    place = template.place_mm(template.brain)
    path.mkdir()
    for _, person in people.iterrows():
        volume = _volume(random, template, place, person)
        folder = path / person["participant_id"] / "anat"
        folder.mkdir(parents=True)
        image = nibabel.Nifti1Image(volume, template.affine)
        image.set_data_dtype(np.uint8)  # scaled: a step is 0.5 % of grey matter, far below the noise
        image.to_filename(folder / f"{person['participant_id']}_space-MNI152_label-GM_probseg.nii.gz")
    people[["participant_id", "age", "sex", "group"]].to_csv(path / "participants.tsv", sep="\t", index=False)


def _people(random: np.random.Generator) -> pd.DataFrame:
    """Draw everybody's age, group and atrophy; the order of the groups is random."""
    ill = random.permutation(np.arange(PEOPLE) % 2)
    age = random.normal(*AGE_YEARS, PEOPLE).clip(50, 90).round(1)
    older = age - AGE_YEARS[0]
    severity = ill * random.lognormal(-(SEVERITY_SPREAD**2) / 2, SEVERITY_SPREAD, PEOPLE)  # mean 1 among patients

    def drawn(lost: float, a_year: float, spread: float) -> Floats:
        return lost * severity + a_year * older + random.normal(0, spread, PEOPLE)

    return pd.DataFrame(
        {
            "participant_id": [f"sub-{number:03d}" for number in range(1, PEOPLE + 1)],
            "age": age,
            "sex": np.where(random.random(PEOPLE) < 0.5, "M", "F"),
            "group": np.where(ill == 1, "patient", "control"),
            "hippocampus": drawn(HIPPOCAMPUS_LOST, HIPPOCAMPUS_LOST_A_YEAR, HIPPOCAMPUS_SPREAD).clip(-0.5, 0.8),
            "cortex": drawn(CORTEX_LOST, CORTEX_LOST_A_YEAR, CORTEX_SPREAD).clip(-0.2, 0.4),
            "ventricles": drawn(VENTRICLE_GROWTH, VENTRICLE_GROWTH_A_YEAR, VENTRICLE_SPREAD).clip(-0.3, 0.4),
        }
    )


def _volume(random: np.random.Generator, template: Anatomy, place: Floats, person: pd.Series) -> Voxels:
    """Deform the template, take grey matter away, and scan the result.

    `place` is where its brain voxels are; `person` is a row of `_people`.
    """
    where, shape = template.brain, template.brain.shape
    source = place + DEFORMATION_MM * _smooth_noise(random, shape, (*DEFORMATION_NODES, 3))[where]
    for centre in VENTRICLES_MM:
        source -= person["ventricles"] * _blob(place, centre, VENTRICLE_WIDTH_MM)[:, None] * (place - centre)
    voxel = nibabel.affines.apply_affine(np.linalg.inv(template.affine), source).T
    grey = map_coordinates(template.grey, voxel, order=1)

    lost = person["cortex"] + person["hippocampus"] * sum(
        _blob(source, centre, HIPPOCAMPUS_WIDTH_MM) for centre in HIPPOCAMPI_MM
    )
    field = 1 + BIAS * _smooth_noise(random, shape, BIAS_NODES)[where]
    volume = np.zeros(shape, dtype=np.float32)
    volume[where] = grey * (1 - lost) * field + random.normal(0, NOISE, len(grey))
    return volume


def _smooth_noise(random: np.random.Generator, shape: tuple[int, ...], nodes: tuple[int, ...]) -> Floats:
    """Return noise of standard deviation 1 at a few nodes, linear between them; further axes stay as they are."""
    values = random.normal(size=nodes)
    for axis, size in enumerate(shape):
        weights = np.maximum(0, 1 - np.abs(np.linspace(0, nodes[axis] - 1, size)[:, None] - np.arange(nodes[axis])))
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return values


def _blob(place: Floats, centre: tuple[float, ...], width_mm: float) -> Floats:
    """Return a Gaussian of height 1 around a point."""
    away = place - centre
    height: Floats = np.exp(-np.einsum("ij,ij->i", away, away) / (2 * width_mm**2))
    return height


def load(folder: Path, template: Anatomy) -> Cohort:
    """Read a BIDS folder: smoothed grey matter of everybody in participants.tsv, one column per voxel."""
    people, column = _participants(folder)
    control, patient = _classes(people[column], folder / "participants.tsv")
    pattern, volumes = _volumes(folder)
    persons = {path: name for path, name in volumes.items() if name in people.index}
    if not persons:
        message = f"{folder}: no volume ({', '.join(sorted(set(volumes.values())))}) is in its participants.tsv"
        raise ValueError(message)

    person = np.array(list(persons.values()))
    voxels = np.stack([_read(path, template) for path in persons])
    dropped = {
        "volumes of nobody in participants.tsv": len(volumes) - len(persons),
        "participants without a volume": len(set(people.index) - set(person)),
    }
    return Cohort(
        features=pd.DataFrame(_smooth(voxels, template)),  # numbered columns: names would cost more than the fit
        target=(people[column].loc[person] == patient).astype(int).to_numpy(),
        classes=(control, patient),
        person=person if len(set(person)) < len(person) else None,
        who=f"People with a volume, by `{column}` of participants.tsv.",
        limits=(*LIMITS[pattern], *LIMITS["any"]),
        dropped={reason: count for reason, count in dropped.items() if count},
        blocks=_regions(template),
    )


def _participants(folder: Path) -> tuple[pd.DataFrame, str]:
    """Return participants.tsv by participant_id, without those of unknown group, and the group's column."""
    path = folder / "participants.tsv"
    if not path.is_file():
        message = f"expected a BIDS folder with a participants.tsv, found none at {path}"
        raise FileNotFoundError(message)
    people = pd.read_csv(path, sep="\t", na_values="n/a", dtype=str, encoding="utf-8-sig")
    column = next((name for name in map(str, people) if name.lower() in GROUP_COLUMNS), None)
    if column is None or "participant_id" not in people:
        message = f"{path}: expected columns participant_id and one of {GROUP_COLUMNS}, found {list(people)!r}"
        raise ValueError(message)
    people = people.dropna(subset=[column]).drop_duplicates(["participant_id", column])  # one line per session
    if (twice := people["participant_id"].duplicated()).any():
        message = f"{path}: {people['participant_id'][twice].iloc[0]} is in two groups; a person has one"
        raise ValueError(message)
    return people.set_index("participant_id"), column


def _classes(group: pd.Series, path: Path) -> tuple[str, str]:
    """Return (control, patient): the names of the two groups."""
    names = sorted(group.unique())
    controls = [name for name in names if name.lower() in CONTROLS]
    if len(names) != 2 or len(controls) != 1:
        message = f"{path}: expected two groups, one of them named like {sorted(CONTROLS)}, found {names!r}"
        raise ValueError(message)
    return controls[0], next(name for name in names if name != controls[0])


def _volumes(folder: Path) -> tuple[str, dict[Path, str]]:
    """Return the pattern of the best kind of volume in the folder, and each volume's person (`sub-…` in its path)."""
    for pattern in (*GREY_MAPS, *HEADS):
        if paths := sorted(folder.rglob(pattern)):
            subject = [re.search(r"sub-[A-Za-z0-9]+", path.relative_to(folder).as_posix()) for path in paths]
            return pattern, {path: each[0] if each else path.name for path, each in zip(paths, subject, strict=True)}
    message = (
        f"{folder}: expected volumes named like {', '.join((*GREY_MAPS, *HEADS))}, found none "
        f"(and {len(list(folder.rglob('*.nii*')))} other NIfTI files)"
    )
    raise ValueError(message)


def _read(path: Path, template: Anatomy) -> Voxels:
    """Return the analysed voxels of a volume, as a share of its mean in the brain unless it is a grey-matter map.

    A finer volume is smoothed to the working resolution and brought to the template's grid.
    """
    image = nibabel.squeeze_image(nibabel.load(path))
    if len(image.shape) != 3:
        message = f"{path}: expected one volume of three dimensions, found the shape {image.shape}"
        raise ValueError(message)
    if image.shape != template.grey.shape or not np.allclose(image.affine, template.affine):
        grid = nibabel.Nifti1Image(template.grey, template.affine)
        image = resample_to_img(smooth_img(image, RESOLUTION_MM), grid)
    volume = np.nan_to_num(image.get_fdata(dtype=np.float32))
    if path.match(HEADS[1]):
        mean = volume[template.brain].mean()
        if mean <= 0:
            message = f"{path}: expected a head in about MNI position, found no signal where the brain should be"
            raise ValueError(message)
        volume /= mean
    voxels: Voxels = volume[template.analysed]
    return voxels


def _smooth(voxels: Voxels, template: Anatomy) -> Voxels:
    """Smooth within the analysed voxels: others are missing, not zero."""
    width = SMOOTHING_MM / RESOLUTION_MM / np.sqrt(8 * np.log(2))
    where = template.analysed
    volumes = np.zeros((len(voxels), *where.shape), dtype=np.float32)
    volumes[:, where] = voxels
    share = gaussian_filter(where.astype(np.float32), width)[where]
    smooth: Voxels = gaussian_filter(volumes, (0, width, width, width))[:, where] / share
    return smooth


def _regions(template: Anatomy) -> dict[str, list[int]]:
    """Return the voxels of each anatomical region: the nearest of [Z]."""
    atlas = fetch_coords_seitzman_2018()
    centres = atlas.rois[["x", "y", "z"]].to_numpy(float)
    nearest = cKDTree(centres).query(template.place_mm(template.analysed))[1]
    named = pd.Series(atlas.regions[nearest]).replace(REGIONS)
    return {str(region): list(voxels) for region, voxels in named.groupby(named).groups.items()}
