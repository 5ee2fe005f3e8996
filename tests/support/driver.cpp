// main() of every CppUnit program: runs all registered tests, or those whose names contain the
// argument.
#include <cppunit/BriefTestProgressListener.h>
#include <cppunit/CompilerOutputter.h>
#include <cppunit/TestResult.h>
#include <cppunit/TestResultCollector.h>
#include <cppunit/TestRunner.h>
#include <cppunit/extensions/TestFactoryRegistry.h>

#include <iostream>
#include <string>

namespace {

void collect(CppUnit::Test& test, const std::string& filter, CppUnit::TestRunner& runner,
             int& count) {
    if (test.getChildTestCount() == 0) {
        if (test.getName().find(filter) == std::string::npos) return;
        runner.addTest(&test);
        ++count;
        return;
    }
    for (int i = 0; i < test.getChildTestCount(); ++i)
        collect(*test.getChildTestAt(i), filter, runner, count);
}

void list(const CppUnit::Test& test) {
    if (test.getChildTestCount() == 0) std::cout << test.getName() << "\n";
    for (int i = 0; i < test.getChildTestCount(); ++i) list(*test.getChildTestAt(i));
}

}  // namespace

int main(int argc, char** argv) {
    CppUnit::Test* all = CppUnit::TestFactoryRegistry::getRegistry().makeTest();
    const std::string argument = argc > 1 ? argv[1] : "";
    if (argument == "--list") {
        list(*all);
        return 0;
    }
    static CppUnit::TestRunner runner;  // owns the tests; left to the end of the process
    int count = 0;
    if (argument.empty()) {
        runner.addTest(all);
        count = all->countTestCases();
    } else {
        collect(*all, argument, runner, count);
    }
    CppUnit::TestResult controller;
    CppUnit::TestResultCollector results;
    CppUnit::BriefTestProgressListener progress;
    controller.addListener(&results);
    controller.addListener(&progress);
    runner.run(controller);
    CppUnit::CompilerOutputter(&results, std::cerr).write();
    if (count == 0) std::cerr << "no test matches '" << argument << "'\n";
    std::cout.flush();
    std::_Exit(results.wasSuccessful() && count > 0
                   ? 0
                   : 1);  // tests taken out of their suites have two owners
}
