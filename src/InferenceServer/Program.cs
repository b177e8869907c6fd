using InferenceServer.Commands;

return await RootCommands.RunAsync(args);
