import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import crops


def positions(height=6, width=7):
    """Images whose pixels say where they are: (row, column, image)."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], axis=-1)
    return tf.constant(np.stack([image, image + [0, 0, 1]]))


@pytest.mark.parametrize(
    "size, want", [(224, (16, 16)), (227, (14, 14)), (256, (0, 0))]
)
def test_center_offset(size, want):
    assert crops.center_offset(256, 256, size) == want


def test_random_offsets_reach_every_position_equally_often():
    # 2,178 variants: 33 * 33 positions, mirrored or not.
    top, left = crops.random_offsets(100_000, 256, 256, 224, seed=(1, 2))
    for offsets in (top, left):
        counts = np.bincount(offsets)
        assert len(counts) == 33
        # Six standard deviations of a binomial count.
        assert np.abs(counts - 100_000 / 33).max() < 6 * 55
    assert len(set(zip(top.numpy(), left.numpy(), strict=True))) == 33 * 33


def test_random_offsets_depend_on_the_seed_alone():
    first, second, other = (
        crops.random_offsets(50, 40, 60, 24, seed)
        for seed in ((1, 2), (1, 2), (1, 3))
    )
    np.testing.assert_array_equal(first, second)
    assert np.any(np.not_equal(first, other))
    assert np.max(first[0]) <= 16 < np.max(first[1]) <= 36


def test_random_offset_of_a_whole_image():
    top, left = crops.random_offsets(9, 8, 8, 8, seed=(0, 0))
    assert not np.any(top) and not np.any(left)


@pytest.mark.parametrize(
    "order, want",
    [
        # Top left, top right, center, bottom left, bottom right.
        ("cuda-convnet", [(0, 0), (0, 3), (1, 1), (2, 0), (2, 3)]),
        # Top left, top right, bottom left, bottom right, center.
        ("caffe", [(0, 0), (0, 3), (2, 0), (2, 3), (1, 1)]),
    ],
)
def test_ten_views(order, want):
    views = crops.ten_views(positions(), 4, order)
    assert views.shape == (2, 10, 4, 4, 3)
    for image in range(2):
        for view, (top, left) in enumerate(want):
            plain, mirror = views[image, view], views[image, view + 5]
            assert plain[0, 0].numpy().tolist() == [top, left, image]
            assert plain[3, 3].numpy().tolist() == [top + 3, left + 3, image]
            np.testing.assert_array_equal(mirror, plain[:, ::-1])


def test_nine_views_are_a_grid_without_mirrors():
    views = crops.nine_views(positions(8, 8), 4)
    corners = [tuple(view[0, 0, :2].numpy().tolist()) for view in views[0]]
    assert corners == [(y, x) for y in (0, 2, 4) for x in (0, 2, 4)]
    assert all(view[0, 3, 1] == view[0, 0, 1] + 3 for view in views[0])


def test_center_view_is_the_center_of_the_ten():
    images = positions(9, 9)
    np.testing.assert_array_equal(
        crops.center_view(images, 4), crops.ten_views(images, 4)[:, 2]
    )


@pytest.mark.parametrize(
    "cut",
    [
        lambda: crops.center_view(positions(), 7),
        lambda: crops.ten_views(positions(), 7),
        lambda: crops.nine_views(positions(), 7),
        lambda: crops.random_offsets(2, 6, 7, 7, (0, 0)),
    ],
)
def test_crop_larger_than_the_image(cut):
    with pytest.raises(ValueError, match="size=7 for images of 6x7 pixels"):
        cut()


def test_unknown_order():
    with pytest.raises(ValueError, match="`order` must be one of.*'best'"):
        crops.ten_views(positions(), 4, "best")
