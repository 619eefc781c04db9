"""Which files train where nobody names them: `pytest --training-root .` reads what a file does when it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_training.jobs.discovery import discover, left_out
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.lookup import READING, FileFilter

from .project import Project

FILES = FileFilter(include=(READING,))
GUARD = "\nif __name__ == '__main__':\n    main()\n"
LOOP = """\
import torch

def main():
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
"""
TRAINS = {
    "a loop of torch": ("main.py", LOOP + GUARD, "main.py:7: calls loss.backward"),
    "accelerate": (
        "glue.py",
        LOOP.replace("loss.backward()", "accelerator.backward(loss)") + GUARD,
        "accelerator.backward",
    ),
    "tensorflow's tape": (
        "gan.py",
        "for x in data:\n    g = tape.gradient(l, w)\n    opt.apply_gradients(zip(g, w))",
        "gan.py:3",
    ),
    "keras at the top": ("mnist_cnn.py", "model = build()\nhistory = model.fit(x, y, epochs=3)\n", "calls model.fit"),
    "keras in main": ("x.py", "def main():\n    model.fit(x, y)\n" + GUARD, "x.py:2: calls model.fit"),
    "scikit-learn": ("plot_forest.py", "clf = RandomForestClassifier()\nclf.fit(X, y)\n", "calls clf.fit"),
    "a fit in one expression": (
        "x.py",
        "scores = make_pipeline(StandardScaler(), SVC()).fit(X, y).score(X, y)\n",
        "fit",
    ),
    "a benchmark of models": (
        "run_benchmark.py",
        "for m in models:\n    m.fit(x, y)\n    m.score(x, y)\n",
        "calls m.fit",
    ),
    "a class that waits for torch": (
        "x.py",
        "if TORCH:\n    class A:\n        def go(self):\n            self.net.fit(x)\ndef f():\n    A().go()\nf()\n",
        "x.py:4: calls self.net.fit",
    ),
    "a tree that builds itself": (
        "x.py",
        "import tree\nmodel = DecisionTree(3)\nmodel.build_tree(train_file)\nprint(model.evaluate(test_file))\n",
        "x.py:3: calls model.build_tree",
    ),
    "a step up by a negative rate": (
        "x.py",
        "for k in range(20):\n    loss.backward()\n    for p in ps:\n        p.data += -0.05 * p.grad\n",
        "descends in a loop",
    ),
    "layers that update their parameters": (
        "linear.py",
        "for _ in range(9):\n    delta = loss.backward(y, out)\n    layer.update_parameters(gradient_step=0.1)\n",
        "calls loss.backward",
    ),
    "a tree by hand": (
        "x.py",
        "root = build_decision_tree(data)\nprint(evaluate(root))\n",
        "calls build_decision_tree",
    ),
    "a polynomial by hand": ("x.py", "w = fit_polynomial_regression(x, y, 3)\nprint(w)\n", "calls fit_polynomial"),
    "cross validation": ("x.py", "print(cross_val_score(SVC(), X, y))\n", "calls cross_val_score"),
    "an autoencoder": ("x.py", "autoencoder = Model(a, b)\nautoencoder.fit(x, x)\n", "autoencoder.fit"),
    "a grid": ("x.py", "GridSearchCV(SVC(), grid).fit(X, y)\n", "GridSearchCV(SVC(), grid).fit"),
    "catboost's own grid": (
        "x.py",
        "model = CatBoostRegressor()\nmodel.grid_search(grid, pool)\n",
        "model.grid_search",
    ),
    "a descent by name": (
        "x.py",
        "for i in range(9):\n    m, b = gradient_descent(m, b, data, L)\n",
        "gradient_descent",
    ),
    "an algorithm by name": ("x.py", "def main():\n    fit_naive_bayes_model(X, y)\n" + GUARD, "fit_naive_bayes_model"),
    "a regression by hand": ("x.py", "w, b = linear_regression(X, y)\nprint(w)\n", "linear_regression"),
    "xgboost": ("guide.py", "bst = xgb.train(params, dtrain)\n", "calls xgb.train"),
    "lightgbm's folds": ("guide.py", "with timer():\n    lgb.cv(params, data)\n", "calls lgb.cv"),
    "lightgbm's tuner": ("x.py", "tuner = lgb.LightGBMTunerCV(params, data)\ntuner.run()\n", "calls tuner.run"),
    "a search by the Trainer": (
        "x.py",
        "t = Trainer(a)\nt.hyperparameter_search(n_trials=5)\n",
        "hyperparameter_search",
    ),
    "a supervised runner": (
        "x.py",
        "runner = SupervisedRunner()\nrunner.train(model=net, loaders=l)\n",
        "runner.train",
    ),
    "an agent": ("x.py", "for i in range(9):\n    agent.learn()\n", "calls agent.learn"),
    "a forest by hand": ("x.py", "trees = random_forest(X, y, n_trees=50)\nprint(trees)\n", "random_forest"),
    "lightning": ("x.py", "def main(a):\n    pl.Trainer().fit(model, data)\n" + GUARD, "pl.Trainer().fit"),
    "lightning's command line": ("x.py", "def main():\n    LightningCLI(Model)\n" + GUARD, "calls LightningCLI"),
    "Hugging Face": (
        "run_glue.py",
        "def main():\n    trainer = Trainer(model)\n    trainer.train()\n" + GUARD,
        "trainer.train",
    ),
    "a made trainer": ("x.py", "t = SFTTrainer(model)\nfor _ in (1,):\n    t.train()\n", "calls t.train"),
    "ultralytics": ("x.py", "model = YOLO('yolov8n.pt')\nmodel.train(data='coco8.yaml', epochs=3)\n", "model.train"),
    "stable baselines": ("x.py", "model = PPO('MlpPolicy', env)\nmodel.learn(total_timesteps=10)\n", "model.learn"),
    "tensorflow 1": (
        "x.py",
        "op = tf.train.AdamOptimizer(0.1).minimize(loss)\nfor i in range(3):\n    s.run(op)\n",
        "minimize",
    ),
    "jax": ("x.py", "def main():\n    g = jax.value_and_grad(loss)\n" + GUARD, "calls jax.value_and_grad"),
    "by hand, in a helper": (
        "main.py",
        "def update(net, rate, batch):\n    return [w - (rate / len(batch)) * g for w, g in net]\n"
        "def step(w, g, lr):\n    return jax.tree_util.tree_map(lambda p, q: p - lr * q, w, g)\n"
        "def main():\n    for epoch in range(9):\n        w = step(update(w, r, batch), g, lr)\n" + GUARD,
        "main.py:4: descends by a learning rate",
    ),
    "by hand": ("x.py", "for epoch in range(9):\n    w -= lr * gradient(w)\n", "x.py:1: descends in a loop"),
    "by hand, in rounds without a name": ("x.py", "for i in range(9):\n    w -= lr * slope(w)\n", "x.py:1: descends"),
    "by hand, until it is good": ("x.py", "while error > 1:\n    w -= learning_rate * (x @ e)\n", "x.py:1: descends"),
    "by hand, with a constant": ("x.py", "for i in range(9):\n    w -= LR * X.T @ e\n", "x.py:1: descends"),
    "by hand, the rate last": ("x.py", "for i in range(9):\n    w -= slope(w) * lr\n", "x.py:1: descends in a loop"),
    "by hand, with torch's gradients": (
        "x.py",
        "for t in range(9):\n    loss.backward()\n    with torch.no_grad():\n        w -= learning_rate * w.grad\n",
        "x.py:1: descends",
    ),
    "by hand, without a name for a round": (
        "x.py",
        "for i in range(9):\n    theta = theta - alpha * gradient(theta)\n",
        "x.py:1: descends",
    ),
    "by hand, with a number as the rate": (
        "x.py",
        "for i in range(9):\n    w = w - 0.01 * grad\n",
        "x.py:1: descends",
    ),
    "by hand, with the letters of a lecture": (
        "x.py",
        "for i in range(9):\n    w, b = w - alpha * dw, b - alpha * db\n",
        "x.py:1: descends",
    ),
    "by hand, the rate and its slope in one name": (
        "x.py",
        "for e in range(epochs):\n    m = m - (m_gradient / n) * alpha_rate\n",
        "x.py:1: descends",
    ),
    "by hand, with numpy's subtract": (
        "x.py",
        "for i in range(9):\n    w = np.subtract(w, learning_rate * d_w[0])\n",
        "x.py:1: descends",
    ),
    "by hand, the step in a name": (
        "x.py",
        "for i in range(n_iteration):\n    delta_v = eta * error * z\n    v = v + delta_v\n",
        "x.py:1: descends",
    ),
    "by hand, in a function that has no loop": (
        "x.py",
        "def update():\n    w[0] -= lear_rate * total[0]\nfor epoch in range(9):\n    update()\n",
        "x.py:2: descends by a learning rate",
    ),
    "by hand, in camel case": (
        "x.py",
        "def new(w, s):\n    return w - s * learningRate\nfor epoch in r:\n    w = new(w, slope(w))\n",
        "x.py:2: descends by a learning rate",
    ),
    "by hand, in a graph of tensorflow 1": (
        "x.py",
        "new = w.assign(w - learning_rate * g)\nfor _ in range(9):\n    s.run(new)\n",
        "x.py:1: descends",
    ),
    "a network by hand, with epochs": ("x.py", "net = Net()\nnet.backward(x, y, epochs)\nprint(1)\n", "x.py:2: calls"),
    "the normal equation": (
        "x.py",
        "w = np.linalg.inv(X.T @ X) @ X.T @ y\nprint(X @ w)\n",
        "x.py:1: solves for a model",
    ),
    "the normal equation, of matrices": ("x.py", "w = (X.T * X).I * X.T * label\nprint(w)\n", "x.py:1: solves"),
    "the normal equation, solved": ("x.py", "w = np.linalg.solve(A, X.T.dot(y))\nprint(w)\n", "x.py:1: solves"),
    "least squares": ("x.py", "w = np.linalg.lstsq(X, y_train)[0]\nprint(X @ w)\n", "x.py:1: solves"),
    "a line by its means": ("x.py", "slope = a / c\nb = y_mean - slope * x_mean\nprint(b)\n", "x.py:2: solves"),
    "Newton's step": ("x.py", "w = w - np.linalg.inv(H).dot(gradient)\nprint(w)\n", "x.py:1: solves"),
    "Newton's step, of matrices": ("x.py", "w = w - H.I * dJ\nprint(w)\n", "x.py:1: solves"),
    "a Gaussian process": ("x.py", "K_inv = pinv(K)\nmu = K_s @ K_inv @ y\nprint(mu)\n", "x.py:2: solves"),
    "Gaussians": (
        "x.py",
        "def density(x, mu, C):\n    return (x - mu).T.dot(inv(C)).dot(x - mu)\nprint(density(x, mu, C))\n",
        "x.py:2: solves",
    ),
    "naive Bayes by counting": (
        "x.py",
        "model = NaiveBayes(texts, labels)\nprint(model.predict(more))\n",
        "x.py:2: calls model.predict",
    ),
    "naive Bayes in a function": ("x.py", "if x:\n    naive_bayes_classification()\n", "naive_bayes_classification"),
    "a perceptron": ("x.py", "labels = perceptron(x, y)\nprint(labels)\n", "calls perceptron"),
    "a tree that is grown": ("x.py", "tree = growTree(x, entropy)\nprint(tree)\n", "calls growTree"),
    "values of states": (
        "x.py",
        "def td(v, alpha):\n    v[s] += alpha * (r + v[t] - v[s])\nfor episode in range(9):\n    td(v, 0.1)\n",
        "x.py:2: descends by a learning rate",
    ),
    "a name in camel case": ("x.py", "model = trainModel(x, y)\nprint(model)\n", "x.py:1: calls trainModel"),
    "an agent that is training": ("x.py", "agent.training()\nprint(1)\n", "x.py:1: calls agent.training"),
    "by hand, up": ("x.py", "while d > 1:\n    w[0] += alpha * deriv_fun(w) / n\n", "x.py:1: descends"),
    "a class of one's own": (
        "x.py",
        "class Tree:\n    def train(self):\n        self.grow()\ntree = Tree(x, y)\ntree.train()\n",
        "x.py:5: calls tree.train",
    ),
    "a class of one's own, in another word": (
        "x.py",
        "class Boost:\n    def training(self):\n        self.grow()\nBoost(1).training()\n",
        "x.py:4: calls Boost(1).training",
    ),
    "click": (
        "x.py",
        "@click.command()\ndef run(n):\n    model.fit(x, y)\nif __name__ == '__main__':\n    run()\n",
        "x.py:3",
    ),
    "hydra": (
        "x.py",
        "@hydra.main(config_path='c')\ndef run(c):\n    trainer.fit(m)\nif __name__ == '__main__':\n    run()",
        "x.py:3",
    ),
    "typer": (
        "x.py",
        "app = typer.Typer()\n@app.command()\ndef fit():\n    m.fit(x, y)\nif __name__ == '__main__':\n    app()",
        ":4",
    ),
    "fire and a class": ("x.py", "class Study:\n    def run(self):\n        m.fit(1, 2)\nfire.Fire(Study)", "x.py:3"),
    "an app that names no main": (
        "x.py",
        "def main(_):\n    estimator.train(input_fn=f)\nif __name__ == '__main__':\n    tf.app.run()\n",
        "x.py:2",
    ),
    "a script in a folder of tests": ("Test/lander.py", "print(1)\nmodel.fit(x, y)\n", "model.fit"),
    "a script that is called like a test": ("test_svm.py", "clf.fit(x, y)\nprint(clf.score(x, y))\n", "clf.fit"),
    "a script that is called a test": ("mnist_test.py", LOOP + "\nmain()\n", "loss.backward"),
    "a module that is called": (
        "x.py",
        "class Meta(Module):\n    def forward(self, x):\n        loss.backward()\n        opt.step()\nMeta()(1)\n",
        "x.py:3",
    ),
    "processes": (
        "x.py",
        "def worker(rank):\n    m.fit(x, y)\nif __name__ == '__main__':\n    mp.spawn(worker, 2)\n",
        "x.py:2",
    ),
    "automain": ("x.py", "ex = Experiment()\n@ex.automain\ndef run():\n    m.fit(x, y)\n", "x.py:4"),
    "a network by hand": ("x.py", "for ep in range(9):\n    net.backward(x, y, lr)\n", "x.py:2: calls net.backward"),
    "layers by hand": (
        "x.py",
        "alpha = lr * 2\nfor each in layers:\n    g = each.backward_propagation(g, alpha)\n",
        "x.py:3",
    ),
    "a cost in a wrapper that scipy lowers": (
        "x.py",
        "r = optimize.minimize(lambda t: compute_cost(X, y, t), w)\nprint(r)\n",
        "x.py:1: calls optimize.minimize",
    ),
    "a loss that a search lowers": ("x.py", "print(fmin(objective, space))\n", "x.py:1: calls fmin"),
    "a cost that scipy lowers": ("x.py", "w = opt.fmin_tnc(func=cost, x0=w)\nprint(w)\n", "x.py:1: calls opt.fmin_tnc"),
    "clusters": ("x.py", "labels = AgglomerativeClustering(3).fit_predict(x)\nprint(labels)\n", "x.py:1"),
    "episodes": ("x.py", "q, info = train_episode(alpha=0.1)\nprint(info)\n", "x.py:1: calls train_episode"),
    "a chain": ("x.py", "mcmc = MCMC(kernel)\nmcmc.run(key, x, learn())\n", "x.py:2: calls mcmc.run"),
    "a name alone": ("train.py", "from engine_elsewhere import go\ngo()\n", "is named train.py, and does something"),
    "a name in words": ("Fine-Tune_bert.py", "import somebody\nsomebody.go()\n", "is named Fine-Tune_bert.py"),
    "a name at the end": ("mnist_train.py", "Trainer(mnist).train()\n", "calls Trainer(mnist).train"),
    "a name and no Python": ("train_x.py", "print 'old'\n", "train_x.py:1: SyntaxError"),
    "a function job": ("train_x.py", "def train(run, *, epochs=3):\n    return {}\n", "defines train(run, …)"),
}
LEFT = {
    "constants": ("train_gpt2.py", "batch_size = 12\nname = 'a' + str(time.time())\n", "only defines or assigns"),
    "definitions": (
        "train.py",
        "def train(model, loader):\n    loss.backward()\n    optimizer.step()\n",
        "only defines",
    ),
    "a model that its guard tries": (
        "model.py",
        LOOP.replace("main", "learn") + "\nif __name__ == '__main__':\n    print(net(x))\n",
        "nothing",
    ),
    "a method that nothing calls": (
        "push.py",
        "class Manager:\n    def go(self):\n        m.fit(1, 2)\n    def push(self):\n        pass\nManager().push()\n",
        "nothing",
    ),
    "a pretrained model": ("x.py", "net = Net.from_pretrained('a')\nfor x in y:\n    net.train()\n", "nothing"),
    "what loads a policy": ("x.py", "model = deepq.learn(env, total_timesteps=0, load_path='a')\nshow(1)\n", "nothing"),
    "a blend": ("x.py", "for epoch in names:\n    x = a - alpha * b\nprint(train(0, epochs=0))\n", "nothing"),
    "a number taken off": ("x.py", "for x in images:\n    x = x - 0.5 * data\n    y = y + 0.1 * grad\n", "nothing"),
    "a background taken off": ("x.py", "for x in images:\n    x -= alpha * blur(x)\n", "nothing"),
    "a dropped part": (
        "x.py",
        "for epoch in names:\n    x = x - dropout_rate * mask\nprint(train(0, epochs=0))\n",
        "nothing",
    ),
    "a schedule": ("x.py", "for step in steps:\n    lr -= lr * 0.1\n    print(lr)\n", "nothing"),
    "a product": ("x.py", "for i in range(9):\n    print(i * y_train, fit_it(inv_std * (x - mean)))\n", "nothing"),
    "symbols that are solved": ("x.py", "print(solve(x + y, y), mean - x * y, fit_it(mean - mu * mean))\n", "nothing"),
    "a perceptron that is made": ("x.py", "print(Perceptron(3), fit_it(KMeans(3)))\n", "nothing"),
    "a tree of places": ("x.py", "print(build_tree(places), fit_it(0))\n", "nothing"),
    "a gradient with an optimiser that takes no step": (
        "x.py",
        "optimizer = optim.SGD(p, lr=0.1)\nloss.backward()\noptimizer.zero_grad()\n",
        "nothing",
    ),
    "a forest that selects": (
        "feature_selection.py",
        "forest.fit(x, y)\nprint(forest.feature_importances_)\n",
        "nothing",
    ),
    "a name that only speaks": ("training.py", GUARD.replace("main()", "logger.info('ready')"), "only defines"),
    "a name that only builds": (
        "training_pipeline.py",
        "with open('p.json') as file:\n    p = json.load(file)\npipe = Pipeline([SVC(**p)])\n",
        "only defines",
    ),
    "a function of scipy": ("x.py", "x['a'] = read(1)\nprint(minimize(f, x0))\n", "nothing"),
    "a plot": ("plot_train.py", "plt.plot(read('train.log'))\n", None),
    "a launcher": ("run_with_submitit.py", "import main\nmain.train(1)\n", "is named as a test"),
    "a test": (
        "tests/test_fit.py",
        "def test():\n    m.fit(x, y)\nif __name__ == '__main__':\n    test()\n",
        "is named as a test",
    ),
    "a test beside its code": ("net_test.py", "import unittest\n" + LOOP + GUARD, "is named as a test"),
    "a benchmark": ("bench.py", LOOP + GUARD, "is named as a test"),
    "a benchmark of speed": (
        "benchmark.py",
        "for m in models:\n    start = time.perf_counter()\n    m.fit(x, y)\n    print(m.score(x, y))\n",
        "is named as a test",
    ),
    "a class in an if": (
        "model.py",
        "if TORCH:\n    class Net:\n        def fit(self, x):\n            self.net.fit(x)\nprint(TORCH)\n",
        "nothing that it runs trains",
    ),
    "a scaler": (
        "prepare.py",
        "scaler = StandardScaler()\nscaler.fit(x)\nprint(scaler)\n",
        "nothing that it runs trains",
    ),
    "an encoder": (
        "x.py",
        "if __name__ == '__main__':\n    LabelEncoder().fit(labels)\n",
        "nothing that it runs trains",
    ),
    "a mode of one's own class": (
        "x.py",
        "class Net(Base):\n    def train(self, mode=True):\n        pass\nfor x in y:\n    Net().train()\n",
        "nothing that it runs trains",
    ),
    "a line along a gradient": ("x.py", "y = y0 + alpha * grad\nprint(y)\n", "nothing"),
    "a scaler of one's own": (
        "x.py",
        "class MyScaler:\n    def fit_transform(self, x):\n        self.fit(x)\nMyScaler().fit_transform(x)\n",
        "nothing that it runs trains",
    ),
    "a preprocessor of one's own": (
        "x.py",
        "class Preprocessor:\n    def prepare(self, x):\n        self.fit(x)\nPreprocessor().prepare(x)\n",
        "nothing that it runs trains",
    ),
    "an analysis of the training data": ("Train_Data_Analysis.py", "print(frame.describe())\n", None),
    "windows": ("screen.py", "import tkinter as tk\nmodel.fit(x, y)\ntk.Tk().mainloop()\n", "serves an app"),
    "an app": ("app.py", "import streamlit as st\nmodel.fit(x, y)\nst.write(model.score(x, y))\n", "serves an app"),
    "a service with a schedule": (
        "main.py",
        "import schedule\nschedule.every(6).hours.do(model.fit(x, y))\n",
        "serves",
    ),
    "a curve of survival": ("x.py", "kmf = KaplanMeierFitter()\nkmf.fit(time, event)\nkmf.plot()\n", "nothing"),
    "a graph of Airflow": ("dag.py", "from airflow import DAG\nmodel.fit(x, y)\nDAG('a')\n", "serves an app"),
    "an app over a package": ("main.py", "from fastapi import FastAPI\napp = FastAPI()\napp.mount(1)\n", None),
    "a second split": ("train-test-split-v2.py", "import data\ndata.split()\n", None),
    "a mode": ("x.py", "for x in data:\n    model.train(False)\n", "nothing that it runs trains"),
    "the lowest point": ("x.py", "print(optimize.fmin_bfgs(height, x0))\n", "nothing that it runs trains"),
    "a curve": ("x.py", "if __name__ == '__main__':\n    optimize.minimize(f, x0)\n    stats.norm.fit(x)\n", "nothing"),
    "a saliency map": (
        "x.py",
        "for x in data:\n    model(x).sum().backward(retain_graph=True)\n",
        "nothing that it runs trains",
    ),
    "a split": ("train_test_split.py", "import data\ndata.split()\n", None),
    "helpers": ("train_utils.py", "logging.basicConfig()\ndef fit():\n    m.fit(x, y)\n", "nothing that it runs"),
    "nothing of the kind": ("serve.py", "if __name__ == '__main__':\n    app.run(port=80)\n", None),
    "broken": ("old.py", "if __name__ == '__main__':\n    print model.fit(x, y)\n", "old.py:2: SyntaxError"),
    "somebody else's": ("third_party/yolo/train.py", LOOP + GUARD, None),
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(("name", "text", "why"), TRAINS.values(), ids=TRAINS)
def test_a_file_that_trains_when_it_is_run_is_a_job_and_says_why(
    tmp_path: Path, name: str, text: str, why: str
) -> None:
    write(tmp_path, {name: text})
    [job] = discover(tmp_path, tmp_path, FILES)
    assert why in job.evidence


@pytest.mark.parametrize(("name", "text", "why"), LEFT.values(), ids=LEFT)
def test_a_file_that_trains_nothing_is_none_and_says_why(tmp_path: Path, name: str, text: str, why: str | None) -> None:
    write(tmp_path, {name: text})
    assert discover(tmp_path, tmp_path, FILES) == []
    lines = list(left_out([tmp_path], tmp_path, FILES, KINDS))
    assert [line for line in lines if why and why in line] == lines
    assert bool(lines) == (why is not None)


def test_warnings_of_files_that_are_read_are_not_shown(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    write(tmp_path, {"main.py": "model.fit('\\d' is 'a')\n", "other.py": "print('\\d' is 'a', 'fit()')\n"})
    assert len(discover(tmp_path, tmp_path, FILES)) == 1
    assert not recwarn.list


def ids(root: Path) -> dict[str, str]:
    return {job.id: job.source for job in discover(root, root, FILES)}


MODULES = {
    "main.py": "from lib import run\nif __name__ == '__main__':\n    run.start()\n",
    "lib/__init__.py": "",
    "lib/run.py": "from .engine import Trainer\ndef start():\n    Trainer().go()\n",
    "lib/engine.py": "class Trainer:\n    def go(self):\n        self.model.fit(1, 2)\n",
    "show.py": "from lib import engine\nprint(engine.__doc__)\n",
}


def test_local_modules_are_followed_to_what_trains(tmp_path: Path) -> None:
    write(tmp_path, MODULES)
    [job] = discover(tmp_path, tmp_path, FILES)
    assert (job.source, job.evidence) == ("main.py", "lib/engine.py:3: calls self.model.fit")


def test_a_script_whose_neighbour_trains_is_found_by_any_name(tmp_path: Path) -> None:
    step = "def svm(x, eta):\n    for t in range(max_pass):\n        w = w - eta * (-C * x)\n    return w\n"
    write(tmp_path, {"hinge.py": step, "plot_line.py": "from hinge import svm\nw = svm(x, 0.1)\nprint(w)\n"})
    [job] = discover(tmp_path, tmp_path, FILES)
    assert (job.source, job.evidence) == ("plot_line.py", "hinge.py:2: descends in a loop")


def test_a_module_of_a_package_beside_the_folder_is_a_neighbour_too(tmp_path: Path) -> None:
    compare = "from src.agents import compare\nprint(compare())\n"
    agents = "def compare():\n    return Ridge().fit(x, y)\n"
    write(
        tmp_path, {"scripts/3_compare.py": compare, "src/agents.py": agents, "README.md": "python scripts/3_compare.py"}
    )
    [job] = discover(tmp_path, tmp_path, FILES)
    assert (job.source, job.evidence) == ("scripts/3_compare.py", "src/agents.py:2: calls Ridge().fit")


def test_what_a_package_hands_on_with_stars_is_followed(tmp_path: Path) -> None:
    inits = {"util/__init__.py": "from .more import *\nfrom .core import *\n", "util/more.py": "", "a/__init__.py": ""}
    core = "def layers_model(x, eta):\n    for epoch in range(3):\n        w = w - eta * x\n    return w\n"
    write(tmp_path, {**inits, "util/core.py": core, "run_it.py": "from util import *\nprint(layers_model(x, 1))\n"})
    [job] = discover(tmp_path, tmp_path, FILES)
    assert (job.source, job.evidence) == ("run_it.py", "util/core.py:2: descends in a loop")


TREES = {
    "folders say more than main": ("mnist/main.py vae/main.py", "mnist vae"),
    "a lone file": ("main.py", "main"),
    "a folder that says nothing": ("src/train.py", "train"),
    "projects": ("a/src/train.py b/src/train.py", "a b"),
    "two in one folder": ("mnist/main.py mnist/train.py vae/main.py", "mnist/main mnist/train vae"),
    "deep": ("x/a/main.py y/a/main.py", "x/a y/a"),
    "prefix and ending": ("train_net.py mnist_train.py train-big.py", "net mnist big"),
    "one name twice": ("vision/train.py train_vision.py", "vision/train train_vision"),
    "names that say something": ("finetune.py run_glue.py train.py", "finetune run_glue train"),
    "a package": ("pkg/__main__.py", "pkg"),
}


@pytest.mark.parametrize(("files", "expected"), TREES.values(), ids=TREES)
def test_an_id_drops_what_says_nothing(tmp_path: Path, files: str, expected: str) -> None:
    write(tmp_path, dict.fromkeys(files.split(), "model.fit(x, y)\n"))
    by_source = {source: job_id for job_id, source in ids(tmp_path).items()}
    assert [by_source[file] for file in files.split()] == expected.split()


def test_names_alone_decide_in_a_folder_of_train_files(project: Project) -> None:
    project.write("training/train_a.py", "x = 1\n")
    project.write("training/main.py", "model.fit(x, y)\n")
    project.write("training/train_utils.py", "def fit():\n    pass\n")
    assert {job.id: job.evidence for job in project.discovered()} == {"a": "", "utils": ""}


def test_patterns_and_reading_go_together(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"fit_it.py": "import elsewhere\n", "main.py": "model.fit(x, y)\n", "old/main.py": "model.fit(x, y)\n"},
    )
    both = FileFilter(include=("fit_*.py", READING), exclude=("old/",))
    assert [(job.id, bool(job.evidence)) for job in discover(tmp_path, tmp_path, both)] == [
        ("fit_it", False),
        ("main", True),
    ]
