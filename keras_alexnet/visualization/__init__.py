from keras_alexnet.visualization.curves import plot_curves as plot_curves
