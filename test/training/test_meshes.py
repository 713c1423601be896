"""Meshes face outwards and have the size that was asked for."""

import math

import numpy as np
import pytest

from training.meshes import Mesh, ball, box, cylinder, join, lathe, plane, prism, ring, tube

CLOSED = {
    "box": (box(1.0, 2.0, 3.0), 6.0),
    "cylinder": (cylinder(0.5, 2.0), math.pi / 2),
    "cone": (cylinder(0.5, 2.0, 0.0), math.pi / 6),
    "ball": (ball(1.0, rings=24), 4 / 3 * math.pi),
    "ellipsoid": (ball(1.0, 4.0, rings=24), 8 / 3 * math.pi),
    "ring": (ring(1.0, 0.2, sides=24), 2 * math.pi**2 * 0.04),
    "prism": (prism([(0, 0), (2, 0), (1, 1)], 3.0), 3.0),
    "pair": (join([box(1, 1, 1), box(1, 1, 1).moved(5)]), 2.0),
}


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem; positive where triangles run counter-clockwise outside."""
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("name", CLOSED)
def test_volume_is_positive_and_right(name: str) -> None:
    mesh, expected = CLOSED[name]
    assert volume(mesh) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize("name", CLOSED)
def test_normals_agree_with_the_triangles(name: str) -> None:
    mesh, _ = CLOSED[name]
    a, b, c = (mesh.vertices[mesh.triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    real = np.linalg.norm(faces, axis=1) > 1e-9  # a profile that ends on the axis leaves empty triangles
    normals = mesh.normals[mesh.triangles].mean(axis=1)
    assert (np.einsum("ij,ij->i", faces, normals)[real] > 0).all()
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-9)


def test_turning_keeps_the_volume_and_moves_the_normals() -> None:
    turned = box(1, 2, 3).turned("x", math.pi / 2)
    assert volume(turned) == pytest.approx(6)
    np.testing.assert_allclose(np.ptp(turned.vertices, axis=0), [1, 3, 2], atol=1e-9)
    np.testing.assert_allclose(turned.normals[0], [0, 0, -1], atol=1e-9)  # was -y


def test_a_plane_repeats_its_texture_by_the_metre() -> None:
    mesh = plane((0, 0, 0), (6, 0, 0), (0, 3, 0), 1.5)
    np.testing.assert_allclose(mesh.uvs.max(axis=0), [4, 2])
    np.testing.assert_allclose(mesh.normals, [[0, 0, 1]] * 4)


def test_a_tube_joins_its_ends() -> None:
    mesh = tube((1, 2, 3), (1, 2, 5), 0.1)
    np.testing.assert_allclose(mesh.vertices.min(axis=0), [0.9, 1.9, 3], atol=1e-6)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), [1.1, 2.1, 5], atol=1e-6)


def test_a_lathe_turns_every_step() -> None:
    mesh = lathe([(1, 0), (2, 1), (1, 2)], sides=4)
    assert len(mesh.triangles) == 2 * 4 * 2
    assert np.ptp(mesh.vertices[:, 2]) == 2
