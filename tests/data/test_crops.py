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


def test_fifty_views_are_a_grid_and_its_mirror_images():
    views = crops.fifty_views(positions(8, 12), 4)
    assert views.shape == (2, 50, 4, 4, 3)
    corners = [tuple(view[0, 0, :2].numpy().tolist()) for view in views[0, :25]]
    assert corners == [(y, x) for y in range(5) for x in (0, 2, 4, 6, 8)]
    np.testing.assert_array_equal(views[1, 25:], views[1, :25, :, ::-1])


def test_a_window_grows_as_the_scale_shrinks():
    top, left, window = crops.random_windows(50_000, 512, 224, 256, (3, 4))
    # 224 * 512 / S for S in 256 to 512, both ends included.
    assert set(window.numpy()) == {
        round(224 * 512 / scale) for scale in range(256, 513)
    }
    # S is uniform: half of it is below 384, where a window has 299 pixels.
    assert np.mean(window.numpy() > 299) == pytest.approx(0.5, abs=0.02)
    for offset in (top.numpy(), left.numpy()):
        assert offset.min() == 0
        assert (offset + window.numpy()).max() == 512
        # The middle of the crops is the middle of the image, on average.
        middle = np.mean(offset + window.numpy() / 2)
        assert middle == pytest.approx(256, abs=2)


def test_windows_at_one_scale_are_random_crops_of_it():
    top, _, window = crops.random_windows(1000, 20, 16, 20, (1, 1))
    assert set(window.numpy()) == {16}
    assert set(top.numpy()) == {0, 1, 2, 3, 4}
    with pytest.raises(ValueError, match="size=24, smallest=20, largest=20"):
        crops.random_windows(1, 20, 24, 20, (1, 1))


def test_googlenet_views_by_hand():
    # At 56 of 224 pixels the shorter sides are 64, 72, 80 and 88.
    ramp = np.arange(64, dtype="float32")
    image = np.stack([np.tile(ramp, (64, 1))] * 3, axis=-1)[None]
    views = crops.googlenet_views(tf.constant(image), 56).numpy()[0]
    assert views.shape == (144, 56, 56, 3)
    # The first scale is the image itself: corners and center, and the whole.
    firsts = [view[0, 0, 0] for view in views[:5]]
    assert firsts == [0, 8, 4, 0, 8]
    assert views[5, 0].mean() == pytest.approx(31.5, abs=0.01)
    # Its three squares are the same.
    np.testing.assert_array_equal(views[:6], views[6:12])
    np.testing.assert_array_equal(views[72:], views[:72, :, ::-1])


def test_googlenet_squares_of_wide_and_high_images():
    columns = np.arange(96, dtype="float32")
    wide = np.stack([np.tile(columns, (64, 1))] * 3, axis=-1)[None]
    views = crops.googlenet_views(tf.constant(wide), 56).numpy()[0]
    # Left, center and right squares begin at 0, 16 and 32.
    assert [views[6 * i][0, 0, 0] for i in range(3)] == [0, 16, 32]
    high = wide.transpose(0, 2, 1, 3)
    views = crops.googlenet_views(tf.constant(high), 56).numpy()[0]
    assert [views[6 * i][0, 0, 0] for i in range(3)] == [0, 16, 32]
